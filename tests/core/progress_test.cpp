#include "edmund/core/progress.h"

#include "core/helpers.h"
#include "edmund/core/log.h"
#include "support/catch.h"

#include <chrono>
#include <pty.h>
#include <thread>

namespace edmund {
namespace {

using testing::contains;
using testing::standard_error_of;

/// What `act` shows on a terminal of `width` columns.
template <typename Act>
std::string in_terminal(unsigned short width, Act act) {
  int master = -1, slave = -1;
  const winsize size = {24, width, 0, 0};
  REQUIRE(::openpty(&master, &slave, nullptr, nullptr, &size) == 0);
  {
    const testing::StandardError redirected(slave);
    act();
  }
  ::close(slave);
  std::string out;
  char buffer[4096];
  for (ssize_t count = 0; (count = ::read(master, buffer, sizeof buffer)) > 0;)
    out.append(buffer, static_cast<std::size_t>(count));
  ::close(master);
  return out;
}

void wait(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t sum = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++sum;
  return sum;
}

}  // namespace

TEST_CASE("without a terminal progress is a plain line per interval", "[core]") {
  const std::string text = standard_error_of([] {
    Progress progress("train", "images", 100'000, 0, 0.0);
    wait(0.02);
    progress.update(12'800, "loss 0.123");
  });
  CHECK(contains(text, "train  12,800/100,000 images  13 %  "));
  CHECK(contains(text, " images/s  ETA "));
  CHECK(contains(text, "  loss 0.123\n"));
  CHECK_FALSE(contains(text, "\x1b"));
  CHECK_FALSE(contains(text, "\r"));
  CHECK(count(text, "\n") == 1);  // the end repeats nothing
}

TEST_CASE("within the interval only the end is told", "[core]") {
  const std::string text = standard_error_of([] {
    Progress progress("sample", "images", 64, 0, 100.0);
    for (int i = 1; i <= 64; ++i) progress.update(i);
  });
  CHECK(count(text, "\n") == 1);
  CHECK(contains(text, "sample  64/64 images  100 %  "));
  CHECK_FALSE(contains(text, "ETA"));
}

TEST_CASE("the rate counts from where this run began", "[core]") {
  const std::string text = standard_error_of([] {
    Progress progress("train", "images", 2'000'000, 1'000'000, 0.0);
    wait(0.1);
    progress.update(1'000'010);
  });
  CHECK(contains(text, "1,000,010/2,000,000 images  50 %"));
  const auto at = text.find(" images/s");
  REQUIRE(at != text.npos);
  const double rate = std::stod(text.substr(text.rfind("  ", at) + 2));
  CHECK(rate <= 100);
  CHECK(rate > 1);
}

TEST_CASE("the rate is that of the last seconds, and of the whole at the end", "[core][slow]") {
  const std::string text = standard_error_of([] {
    Progress progress("sample", "images", 100'000, 0, 0.0);
    progress.update(90'000);
    wait(0.1);
    progress.update(90'000);  // so many in the first moment
    wait(11.0);
    progress.update(90'011);
    progress.update(100'000);
  });
  const auto rate_at = [&](std::size_t line) {
    const auto at = text.find(" images/s", line);
    return std::stod(text.substr(text.rfind("  ", at) + 2));
  };
  CHECK(rate_at(text.find("90,011/")) < 1.2);  // 11 in 11 seconds
  CHECK(text.find("in 11 s") != text.npos);
  CHECK(text.substr(text.find("100,000/")).find("9,0") != text.npos);  // 100,000 in 11.1 seconds
}

TEST_CASE("on a terminal progress is one live line that log lines do not break", "[core]") {
  const std::string text = in_terminal(100, [] {
    Progress progress("train", "images", 1000);
    progress.update(1);  // too soon to be shown
    wait(0.12);
    progress.update(500, "loss 0.5");
    log::info("saved");
    progress.finish();
    log::info("after");
  });
  CHECK(count(text, "train  ") == 2);  // drawn, and again below the log line
  CHECK(contains(text, "\r\x1b[Ktrain  500/1,000 images  50 %"));
  CHECK(contains(text, "loss 0.5\r\x1b[Ksaved\r\ntrain  500/1,000"));
  CHECK(contains(text, "loss 0.5\r\nafter\r\n"));
}

TEST_CASE("a live line is cut to the terminal", "[core]") {
  const std::string text = in_terminal(30, [] {
    Progress progress("train", "images", 1000);
    progress.update(500, "σσσσσσσσσσσσσσσσσσσσσσσσσσσσ");
  });
  const auto start = text.find("\x1b[K") + 3;
  CHECK(text.find("\r\n", start) - start == 29);
}

TEST_CASE("a task that ends within its silence tells nothing, and a longer one does", "[core]") {
  const auto told = [](double silence) {
    return standard_error_of([&] {
      Progress progress("read", "files", 20, 0, 0.0, silence);
      progress.update(10);
      wait(0.02);
      progress.update(20);
    });
  };
  CHECK(told(100.0).empty());
  CHECK(count(told(0.01), "\n") == 1);
  CHECK(contains(told(0.01), "read  20/20 files  100 %"));
}

TEST_CASE("nothing done is nothing told", "[core]") {
  CHECK(standard_error_of([] { Progress progress("train", "images", 0); }).empty());
}

}  // namespace edmund
