#include "edmund/core/kept_work.h"

#include "edmund/core/files.h"
#include "edmund/core/stop.h"
#include "support/catch.h"
#include "support/temporary_folder.h"

#include <string>

namespace edmund {
namespace {

namespace fs = std::filesystem;

struct Pieces {
  fs::path folder;
  std::int64_t worked = 0;

  /// The first `count` pieces joined.
  std::string joined(int count, const std::string& identity = "settings") {
    KeptWork kept(folder, "task", identity);
    std::string out;
    for (int i = 0; i < count; ++i)
      out += kept.piece("piece " + std::to_string(i), [&] {
        ++worked;
        return "bytes\n" + std::string(static_cast<std::size_t>(i), '\0') + std::to_string(i);
      });
    return out;
  }
  fs::path file() const { return fs::directory_iterator(folder / ".unfinished")->path(); }
};

}  // namespace

TEST_CASE("a piece that is kept is not worked on again", "[core]") {
  const testing::TemporaryFolder folder;
  Pieces pieces{folder.path()};
  const std::string half = pieces.joined(3);
  CHECK(pieces.worked == 3);
  const std::string all = pieces.joined(6);
  CHECK(pieces.worked == 6);
  CHECK(all.substr(0, half.size()) == half);
  CHECK(pieces.joined(6) == all);
  CHECK(pieces.worked == 6);
  CHECK(pieces.joined(6, "other settings") == all);
  CHECK(pieces.worked == 12);
}

TEST_CASE("work goes on from a file that was cut or damaged at any byte", "[core]") {
  const testing::TemporaryFolder folder;
  Pieces pieces{folder.path()};
  const std::string all = pieces.joined(4), whole = read_file(pieces.file());
  const fs::path file = pieces.file();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO("cut at byte " << size);
    write_file(file, whole.substr(0, size));
    const auto before = pieces.worked;
    CHECK(pieces.joined(4) == all);
    CHECK(pieces.worked > before);
    CHECK(read_file(file) == whole);
    std::string damaged = whole;
    damaged[size] = static_cast<char>(damaged[size] ^ 1);
    write_file(file, damaged);
    CHECK(pieces.joined(4) == all);
  }
}

TEST_CASE("no piece is begun once the process is asked to stop, and finished work leaves no file", "[core]") {
  const testing::TemporaryFolder folder;
  {
    const StopRequest stop;
    KeptWork kept(folder.path(), "task", "settings");
    kept.piece("first", [] {
      StopRequest::request();
      return std::string("kept");
    });
    CHECK_THROWS_AS(kept.piece("second", [] { return std::string(); }), Interrupted);
    CHECK(kept.piece("first", [] { return std::string("again"); }) == "kept");
  }
  KeptWork kept(folder.path(), "task", "settings");
  CHECK(kept.count() == 1);
  kept.finish();
  CHECK(fs::is_empty(folder.path()));
}

}  // namespace edmund
