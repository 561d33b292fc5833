#include "edmund/archives/zip_stream.h"

#include "edmund/archives/zip_archive.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/format.h"
#include "support/catch.h"
#include "support/temporary_folder.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace edmund::testing {
namespace {

using Files = std::vector<std::pair<std::string, std::string>>;

const Files kFiles = {{"00000/img00000000.png", std::string(300, 'a')},
                      {"00000/img00000001.png", ""},
                      {"00000/ö.png", std::string("\0\1\2PK\3\4", 7)},
                      {"dataset.json", "{}"}};

// Adds what is not there yet and gives the archive its name.
std::string finished(const TemporaryFolder& folder, ZipStream& zip) {
  for (std::size_t i = zip.names().size(); i < kFiles.size(); ++i) zip.add(kFiles[i].first, kFiles[i].second);
  zip.finish();
  return read_file(folder / "done.zip");
}

std::string whole() {
  const TemporaryFolder folder;
  ZipStream zip(folder / "done.zip");
  return finished(folder, zip);
}

}  // namespace

TEST_CASE("a zip archive that is written entry by entry gives its files back", "[archives]") {
  const TemporaryFolder folder;
  ZipStream zip(folder / "done.zip");
  finished(folder, zip);
  CHECK(file_system().names(folder.path()).size() == 1);
  const ZipArchive read(folder / "done.zip");
  REQUIRE(read.entries().size() == kFiles.size());
  for (const auto& [name, bytes] : kFiles) {
    INFO(name);
    const auto entry = std::ranges::find(read.entries(), name, &ZipArchive::Entry::name);
    REQUIRE(entry != read.entries().end());
    CHECK(entry->stored);
    CHECK(read.read(*entry, 1000) == bytes);
  }
}

TEST_CASE("an entry given in parts is the same entry", "[archives]") {
  const TemporaryFolder folder;
  ZipStream zip(folder / "done.zip");
  zip.add(kFiles[0].first, 300, [] { return std::string(100, 'a'); });
  CHECK(finished(folder, zip) == whole());
}

TEST_CASE("writing that stopped anywhere goes on to the same archive", "[archives]") {
  const std::string all = whole();
  for (std::size_t length = 0; length < all.size(); length += 7) {
    INFO("after " << length << " bytes");
    const TemporaryFolder folder;
    folder.write("part", all.substr(0, length));
    ZipStream zip(folder / "done.zip", folder / "part");
    CHECK(finished(folder, zip) == all);
  }
}

TEST_CASE("an archive that is not finished leaves nothing, or what to go on from", "[archives]") {
  const TemporaryFolder folder;
  folder.write("done.zip", "older");
  {
    ZipStream zip(folder / "done.zip");
    zip.add("one", "1");
    CHECK(read_file(folder / "done.zip") == "older");
  }
  CHECK(file_system().names(folder.path()).size() == 1);
  { ZipStream(folder / "done.zip", folder / "part").add(kFiles[0].first, kFiles[0].second); }
  ZipStream zip(folder / "done.zip", folder / "part");
  CHECK(zip.names() == std::vector{kFiles[0].first});
  CHECK(finished(folder, zip) == whole());
}

TEST_CASE("entries that are damaged are written anew, and the last can be taken back", "[archives]") {
  const std::string all = whole();
  const TemporaryFolder folder;
  std::string damaged = all;
  damaged[100] = 'x';  // in the first entry
  folder.write("part", damaged);
  {
    ZipStream zip(folder / "done.zip", folder / "part");
    CHECK(zip.names().empty());
  }
  folder.write("part", all);
  ZipStream zip(folder / "done.zip", folder / "part");
  REQUIRE(zip.names().back() == "dataset.json");
  zip.take_back();
  CHECK(finished(folder, zip) == all);
}

TEST_CASE("an archive of more than 65,535 entries is read", "[archives]") {
  const TemporaryFolder folder;
  ZipStream zip(folder / "many.zip");
  constexpr int kCount = 66000;
  for (int i = 0; i < kCount; ++i) zip.add(std::to_string(100000 + i), std::to_string(i));
  zip.finish();
  const ZipArchive read(folder / "many.zip");
  REQUIRE(read.entries().size() == kCount);
  CHECK(read.read(read.entries().back(), 10) == std::to_string(kCount - 1));
}

}  // namespace edmund::testing
