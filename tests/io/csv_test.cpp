#include "edmund/io/csv.h"

#include "support/catch.h"

#include <cmath>

namespace edmund::testing {

TEST_CASE("a text in CSV is in quotes, and quotes inside it are doubled", "[io]") {
  CHECK(csv_text("heun") == R"("heun")");
  CHECK(csv_text("") == R"("")");
  CHECK(csv_text("of \"a, b\"\n") == "\"of \"\"a, b\"\"\n\"");
}

TEST_CASE("a number in CSV reads back as itself, and is empty where it is not known", "[io]") {
  CHECK(csv_number(0.1) == "0.1");
  CHECK(std::stod(csv_number(1.0 / 3)) == 1.0 / 3);
  CHECK(csv_number(std::nullopt).empty());
  CHECK(csv_number(NAN).empty());
  CHECK(csv_number(-INFINITY).empty());
}

TEST_CASE("a line of CSV has a comma between two fields, empty ones too", "[io]") {
  CHECK(csv_line({"a", "", "b", ""}) == "a,,b,\n");
  CHECK(csv_line({"a"}) == "a\n");
}

}  // namespace edmund::testing
