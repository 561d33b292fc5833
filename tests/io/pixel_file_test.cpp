// Arrays of pixels that are read in parts: where they lie, or from a temporary file.

#include "edmund/archives/zip_archive.h"
#include "edmund/core/files.h"
#include "edmund/io/idx_file.h"
#include "edmund/io/npz.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_formats.h"

#include <ATen/ATen.h>
#include <functional>
#include <thread>

using namespace edmund;
using namespace edmund::testing;

namespace {

const Tensor kImages = picture(6, 20, 30);  // [N, H, W]

std::string pixels() {
  return {reinterpret_cast<const char*>(kImages.const_data_ptr<std::uint8_t>()),
          static_cast<std::size_t>(kImages.numel())};
}

std::string npz(const TemporaryFolder& folder, bool deflated) {
  const ZipArchive plain(folder.write("plain.npz", npz_bytes({{"arr_0", kImages}})));
  const auto& entry = plain.entries()[0];
  return zip_bytes(folder, {{entry.name, plain.read(entry, entry.size)}}, deflated);
}

// A file of the images as each format has it, and how it is read.
struct Kind {
  std::string name;
  std::function<std::string(const TemporaryFolder&)> bytes;
  std::function<PixelFile(const std::string& file, std::uint64_t in_memory)> open;
};

std::vector<Kind> kinds() {
  const auto idx = [](const std::string& file, std::uint64_t in_memory) { return read_idx_pixels(file, in_memory); };
  const auto array = [](const std::string& file, std::uint64_t in_memory) {
    return NpzFile(file).pixels("arr_0", in_memory);
  };
  return {{"idx",
           [](const auto&) {
             return idx_bytes({6, 20, 30}, pixels());
           },
           idx},
          {"idx.gz",
           [](const auto&) {
             return gzipped(idx_bytes({6, 20, 30}, pixels()));
           },
           idx},
          {"stored npz", [](const auto& folder) { return npz(folder, false); }, array},
          {"deflated npz", [](const auto& folder) { return npz(folder, true); }, array}};
}

}  // namespace

TEST_CASE("arrays that are not held in memory read as those that are, from any thread", "[data]") {
  const TemporaryFolder folder;
  const std::string all = pixels();
  for (const Kind& kind : kinds()) {
    INFO(kind.name);
    const auto file = folder.write("file", kind.bytes(folder));
    for (const std::uint64_t in_memory : {std::uint64_t{0}, std::uint64_t{1} << 20}) {
      const PixelFile found = kind.open(file, in_memory);
      CHECK(found.shape == std::vector<std::int64_t>{6, 20, 30});
      std::vector<int> wrong(4);
      std::vector<std::thread> threads;
      for (std::size_t t = 0; t < wrong.size(); ++t)
        threads.emplace_back([&, t] {
          for (std::size_t i = 0; i < 6; ++i)
            wrong[t] += found.bytes((i + t) % 6 * 600, 600) == all.substr((i + t) % 6 * 600, 600) ? 0 : 1;
        });
      for (auto& thread : threads) thread.join();
      CHECK(wrong == std::vector<int>(4, 0));
    }
  }
}

TEST_CASE("damage in arrays that are not held in memory is found when they are opened", "[data]") {
  const TemporaryFolder folder;
  for (const Kind& kind : kinds()) {
    INFO(kind.name);
    const std::string bytes = kind.bytes(folder);
    const auto refusal = [&](const std::string& damaged) {
      const auto file = folder.write("file", damaged);
      const auto message = error_of([&] { kind.open(file, 0); });
      CHECK(message.starts_with(file));
      return message;
    };
    for (const std::size_t less : {1, 5, 300}) refusal(bytes.substr(0, bytes.size() - less));
    if (kind.name == "idx") {  // it has no checksum
      CHECK(contains(refusal(bytes + "x"), "more data than"));
      continue;
    }
    std::string damaged = bytes;
    damaged[bytes.size() / 2] = static_cast<char>(damaged[bytes.size() / 2] ^ 1);
    refusal(damaged);
  }
}

TEST_CASE("a file that has become shorter since it was opened is an error", "[data]") {
  const TemporaryFolder folder;
  const auto file = folder.write("file", idx_bytes({6, 20, 30}, pixels()));
  const PixelFile found = read_idx_pixels(file, 0);
  std::filesystem::resize_file(file, 2000);
  CHECK(found.bytes(0, 600).size() == 600);
  CHECK(contains(error_of([&] { found.bytes(3000, 600); }), "has become shorter"));
}
