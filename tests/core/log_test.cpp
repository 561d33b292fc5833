#include "edmund/core/log.h"

#include "core/helpers.h"
#include "support/catch.h"

#include <algorithm>
#include <sstream>
#include <thread>
#include <vector>

namespace edmund {
namespace {

using testing::contains;
using testing::contents;
using testing::standard_error_of;

}  // namespace

TEST_CASE("log lines are plain, warnings and debugging say so", "[core]") {
  const auto all = [] {
    log::debug("deep {}", 1);
    log::info("{} images", 3);
    log::warn("odd {}", "thing");
  };
  CHECK(standard_error_of(all) == "3 images\nwarning: odd thing\n");
  log::set_level(log::Level::kDebug);
  CHECK(standard_error_of(all) == "debug: deep 1\n3 images\nwarning: odd thing\n");
  log::set_level(log::Level::kWarn);
  CHECK(standard_error_of(all) == "warning: odd thing\n");
  log::set_level(log::Level::kOff);
  CHECK(standard_error_of(all).empty());
  log::set_level(log::Level::kInfo);
}

TEST_CASE("what is to be said once is not repeated", "[core]") {
  const auto twice = [] {
    for (int i = 0; i < 2; ++i) log::info_once("{} classes", 7);
    log::info_once("{} classes", 8);
  };
  CHECK(standard_error_of(twice) == "7 classes\n8 classes\n");
}

TEST_CASE("messages are not taken for patterns", "[core]") {
  CHECK(standard_error_of([] { log::write(log::Level::kInfo, "{} {0:x} %v %s"); }) == "{} {0:x} %v %s\n");
}

TEST_CASE("the log file has everything with its time and goes on where it ended", "[core]") {
  const testing::TemporaryFolder folder;
  standard_error_of([&] {
    log::set_level(log::Level::kOff);
    log::to_file(folder / "run/log.txt");
    log::debug("deep");
    log::warn("odd {}", "{}");
    log::to_file(folder / "other.txt");
    log::info("elsewhere");
    log::to_file(folder / "run/log.txt");
    log::info("again");
    log::to_file(folder / "other.txt");
    log::set_level(log::Level::kInfo);
  });
  const std::string text = contents(folder / "run/log.txt");
  CHECK(contains(text, "debug    deep\n"));
  CHECK(contains(text, "warning  odd {}\n"));
  CHECK(contains(text, "info     again\n"));
  CHECK_FALSE(contains(text, "elsewhere"));
  CHECK(text.substr(0, 2) == "20");
  CHECK(contains(contents(folder / "other.txt"), "elsewhere"));
}

TEST_CASE("a log file that cannot be opened is bad input", "[core]") {
  const testing::TemporaryFolder folder;
  const auto file = folder.write("file", "");
  CHECK(contains(testing::error_of([&] { log::to_file(file + "/log.txt"); }), "cannot make the folder"));
  CHECK(contains(testing::error_of([&] { log::to_file(folder.path()); }), "cannot open the log file"));
}

TEST_CASE("lines of several threads stay whole", "[core]") {
  const std::string text = standard_error_of([] {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([t] {
        for (int i = 0; i < 250; ++i) log::info("thread {} says line {} of its story", t, i);
      });
  });
  std::istringstream lines(text);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    CHECK((line.starts_with("thread ") && line.ends_with(" of its story") &&
           std::count(line.begin(), line.end(), 't') == 3));
  CHECK(count == 1000);
}

}  // namespace edmund
