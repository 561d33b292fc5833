#include "edmund/core/printable.h"

#include "support/catch.h"

namespace edmund {

TEST_CASE("bytes that would act on a terminal are shown as what they are", "[core]") {
  CHECK(printable("plain, two\nlines\tand ünïcödé σ") == "plain, two\nlines\tand ünïcödé σ");
  CHECK(printable("a\x1b[31mred") == "a\\x1b[31mred");
  CHECK(printable(std::string_view("\0\r\x07\x7f", 4)) == "\\x00\\x0d\\x07\\x7f");
  CHECK(printable("\xc2\x9b"
                  "2J \xc2\x80 \xc2\xa0") == "\\u009b2J \\u0080 \xc2\xa0");
  CHECK(printable("\xc2") == "\xc2");
}

}  // namespace edmund
