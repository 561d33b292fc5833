#include "edmund/core/text.h"

#include "core/helpers.h"
#include "support/catch.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace edmund {

TEST_CASE("integers are read as people write them", "[core]") {
  const std::pair<const char*, std::int64_t> good[] = {
      {"0", 0},
      {"-0", 0},
      {"50000", 50000},
      {"1e6", 1000000},
      {"2.5e3", 2500},
      {"010", 10},
      {"-3", -3},
      {"007", 7},
      {"+7", 7},
      {"1_000", 1000},
      {"1.0", 1},
      {"1200e-2", 12},
      {"1E3", 1000},
      {"1e+3", 1000},
      {"0e99", 0},
      {"0.00e-5", 0},
      {"1_0.0_0e1", 100},
      {"9223372036854775807", std::numeric_limits<std::int64_t>::max()},
      {"-9223372036854775808", std::numeric_limits<std::int64_t>::min()},
      {"9.223372036854775807e18", std::numeric_limits<std::int64_t>::max()},
      {"9007199254740993", 9007199254740993},
  };
  for (const auto& [text, value] : good) {
    INFO(text);
    CHECK(parse_integer(text) == value);
  }
  for (const char* text : {"",
                           "-",
                           "+",
                           ".",
                           "e5",
                           "1.5",
                           "1e-1",
                           "9223372036854775808",
                           "-9223372036854775809",
                           "1e19",
                           "1e99999999999999999999",
                           "1e9999999999",
                           "inf",
                           "-inf",
                           ".inf",
                           "nan",
                           "0x10",
                           "1_",
                           "_1",
                           "1__0",
                           "1 000",
                           " 1",
                           "1 ",
                           "--1",
                           "1e",
                           "1e+",
                           "one",
                           "1,000",
                           "1e5.0",
                           "1._5"}) {
    INFO(text);
    CHECK_FALSE(parse_integer(text).has_value());
  }
}

TEST_CASE("real numbers are read exactly", "[core]") {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::pair<const char*, double> good[] = {
      {"0.5", 0.5},
      {"1e-3", 1e-3},
      {"80", 80},
      {"010", 10},
      {"-1.2", -1.2},
      {"+0.1", 0.1},
      {".5", 0.5},
      {"5.", 5},
      {"1_000.5", 1000.5},
      {"inf", infinity},
      {"+inf", infinity},
      {"-inf", -infinity},
      {".inf", infinity},
      {"-.inf", -infinity},
      {"1E+2", 100},
      {"4.9e-324", 4.9e-324},
      {"1.7976931348623157e308", std::numeric_limits<double>::max()},
  };
  for (const auto& [text, value] : good) {
    INFO(text);
    CHECK(parse_real(text) == value);
  }
  CHECK(std::signbit(parse_real("-0").value()));
  for (const char* text :
       {"", ".", "-", "nan", ".nan", "NaN", "0x1p3", "infinity", "Inf", "1e", "1e999", "1f", "1,5", "1 ", "- 1"}) {
    INFO(text);
    CHECK_FALSE(parse_real(text).has_value());
  }
}

TEST_CASE("every double survives number_text and parse_real", "[core]") {
  for (const double value : {0.1, 1.0 / 3, 1e-5, 80.0, 5e-324, 1.7976931348623157e308, -2.5e-7, 123456789.123456789}) {
    CHECK(parse_real(number_text(value)) == value);
    CHECK(parse_real(number_text(-value)) == -value);
  }
}

TEST_CASE("slips of the hand find their name and other words do not", "[core]") {
  const std::vector<std::string_view> known = {"steps", "rho", "sigma_min", "sigma_max", "type"};
  CHECK(nearest_name("stpes", known) == "steps");
  CHECK(nearest_name("step", known) == "steps");
  CHECK(nearest_name("Steps", known) == "steps");
  CHECK(nearest_name("sigma-max", known) == "sigma_max");
  CHECK(nearest_name("sigma_mix", known).has_value());
  CHECK(nearest_name("tpye", known) == "type");
  CHECK_FALSE(nearest_name("learning_rate", known).has_value());
  CHECK_FALSE(nearest_name("", known).has_value());
  CHECK_FALSE(nearest_name("x", {}).has_value());
  CHECK_FALSE(nearest_name(std::string(1 << 20, 's'), known).has_value());
  CHECK_FALSE(nearest_name("xy", std::vector<std::string_view>{"ab"}).has_value());
  CHECK(suggestion("stpes", known) == "; did you mean 'steps'?");
  CHECK(suggestion("banana", known) == "; known: steps, rho, sigma_min, sigma_max, type");
  CHECK(suggestion("banana", {}).empty());
}

TEST_CASE("quotes keep a message on one line and short", "[core]") {
  CHECK(in_quotes("a b") == "'a b'");
  CHECK(in_quotes("a\nb\t\x01\x7f") == "'a\\nb\\t\\x01\\x7f'");
  const std::string long_quote = in_quotes(std::string(1 << 20, 'x'));
  CHECK(long_quote.size() < 100);
  std::string umlauts;
  for (int i = 0; i < 200; ++i) umlauts += "ü";
  CHECK(is_utf8(in_quotes(umlauts)));
  CHECK(is_utf8(in_quotes("x" + umlauts)));
}

TEST_CASE("UTF-8 is told from other bytes", "[core]") {
  for (const char* text : {"", "plain", "σ(t) = ü 漢 😀", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"}) CHECK(is_utf8(text));
  for (const char* text : {"\x80", "\xC3", "\xC0\xAF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                           "\xF5\x80\x80\x80", "\xFF", "a\xC3(", "\xE2\x82", "\xF0\x8F\xBF\xBF"})
    CHECK_FALSE(is_utf8(text));
}

TEST_CASE("counts and times are told as people say them", "[core]") {
  CHECK(human_count(0) == "0");
  CHECK(human_count(950) == "950");
  CHECK(human_count(999.9) == "1 k");
  CHECK(human_count(1234) == "1.23 k");
  CHECK(human_count(999'999) == "1 M");
  CHECK(human_count(1'234'567) == "1.23 M");
  CHECK(human_count(34e6) == "34 M");
  CHECK(human_count(-2500) == "-2.5 k");
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(-100) == "-100");
  CHECK(grouped(-1234567) == "-1,234,567");
  CHECK(human_time(0.25) == "0.25 s");
  CHECK(human_time(12) == "12 s");
  CHECK(human_time(59.6) == "1 min 00 s");
  CHECK(human_time(136) == "2 min 16 s");
  CHECK(human_time(185) == "3 min 05 s");
  CHECK(human_time(3599.7) == "1 h 00 min");
  CHECK(human_time(7800) == "2 h 10 min");
  CHECK(human_time(86399) == "1 d 00 h");
  CHECK(human_time(3 * 86400 + 4 * 3600) == "3 d 04 h");
  CHECK(human_time(std::nan("")) == "?");
  CHECK(human_time(-1) == "?");
}

TEST_CASE("joining puts separators between parts only", "[core]") {
  CHECK(join({}, ", ").empty());
  CHECK(join(std::vector<std::string_view>{"a"}, ", ") == "a");
  CHECK(join(std::vector<std::string_view>{"a", "b", "c"}, ", ") == "a, b, c");
}

TEST_CASE("bytes that are no UTF-8 become U+FFFD, all others stay", "[core]") {
  CHECK(as_utf8("caf\xe9!") == "caf\xEF\xBF\xBD!");
  CHECK(as_utf8("σ, \n") == "σ, \n");
}

TEST_CASE("names that are no names of a folder are told apart", "[core]") {
  for (const std::string good : {"run", "a b", "..x", "σ", "x.png"}) CHECK(name_fault(good).empty());
  for (const std::string& bad : {std::string(), std::string("."), std::string(".."), std::string("a/b"),
                                 std::string("a\nb"), std::string(201, 'x'), std::string("caf\xe9")})
    CHECK(name_fault(bad).starts_with("expected a name"));
  CHECK(label_fault("heun/ddim, 18 steps").empty());
  for (const std::string bad : {"", "a\nb", "\x1b[31m", "\xff"}) CHECK_FALSE(label_fault(bad).empty());
}

}  // namespace edmund
