#include "edmund/core/format.h"

#include "edmund/core/error.h"
#include "support/catch.h"

#include <cstdint>
#include <filesystem>
#include <limits>

namespace edmund {

TEST_CASE("format fills holes in order", "[core]") {
  CHECK(format("plain") == "plain");
  CHECK(format("{} and {}", 1, "two") == "1 and two");
  CHECK(format("{}{}", 1, 2) == "12");
  CHECK(format("{}, {}", 1) == "1, {}");
  CHECK(format("only {}", 1, 2) == "only 1");
  CHECK(format("{}", "{}") == "{}");
}

TEST_CASE("format writes numbers in their shortest exact form", "[core]") {
  CHECK(format("{} {} {} {}", 0.1, 80.0, 1e-5, 0.1f) == "0.1 80 1e-05 0.1");
  CHECK(format("{} {}", std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::max()) ==
        "inf -1.7976931348623157e+308");
  CHECK(format("{} {} {}", std::uint8_t{200}, std::int8_t{-3}, std::numeric_limits<std::uint64_t>::max()) ==
        "200 -3 18446744073709551615");
}

TEST_CASE("format writes words, letters and paths as they are", "[core]") {
  CHECK(format("{} {} {}", true, 'x', std::filesystem::path("/a b/c")) == "true x /a b/c");
  CHECK(format("{}", std::string("text")) == "text");
}

TEST_CASE("require throws Error with the formatted message", "[core]") {
  CHECK_NOTHROW(require(true, "never {}", 1));
  CHECK_THROWS_AS(require(false, "found {}", 1), Error);
  try {
    fail("{}: found {}", "a.yaml:1:2", 0.5);
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "a.yaml:1:2: found 0.5");
  }
}

}  // namespace edmund
