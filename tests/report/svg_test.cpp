#include "edmund/report/svg.h"

#include "edmund/core/text.h"
#include "support/catch.h"
#include "xml.h"

#include <cmath>
#include <limits>

using namespace edmund;
using testing::occurrences;
using testing::xml_fault;

namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::string plot_of(std::vector<double> x, std::vector<double> y, bool log_x = false, bool log_y = false) {
  Plot plot{.title = "t",
            .x_label = "x",
            .y_label = "y",
            .series = {{.label = "a", .x = std::move(x), .y = std::move(y)}},
            .log_x = log_x,
            .log_y = log_y};
  return svg(plot);
}

}  // namespace

TEST_CASE("the XML check finds faults", "[evaluation]") {
  CHECK(xml_fault("<a b=\"1\"><c/>x &amp; y</a>").empty());
  for (const char* text :
       {"<a>", "<a></b>", "<a b=1></a>", "a & b", "<a b=\"1\" b=\"2\"/>", "1 < 2", "<a b=\"<\"/>", "</a>"})
    CHECK_FALSE(xml_fault(text).empty());
}

TEST_CASE("a plot is well-formed whatever the data", "[evaluation]") {
  const bool log_x = GENERATE(false, true), log_y = GENERATE(false, true);
  const std::vector<std::vector<double>> data = {{},
                                                 {0},
                                                 {1},
                                                 {-3, -3, -3},
                                                 {1, 2, 3},
                                                 {kNaN, kInfinity, -kInfinity},
                                                 {1, kNaN, 3, kInfinity, 5},
                                                 {1e-300, 1e300},
                                                 {-1e308, 1e308},
                                                 {5e-324, 1},
                                                 {0, 1, 10},
                                                 {1, 1 + 1e-15},
                                                 {1e15, 1e15 + 1},
                                                 {-1, 0, 1}};
  for (const auto& values : data) {
    for (const auto& text : {plot_of(values, values, log_x, log_y),
                             plot_of(values, std::vector<double>(values.size(), 2.0), log_x, log_y)}) {
      CHECK(xml_fault(text) == "");
      CHECK(text.find("nan") == std::string::npos);
      CHECK(text.find("inf\"") == std::string::npos);
      CHECK(text.size() < 40000);
    }
  }
}

TEST_CASE("labels of a plot are escaped", "[evaluation]") {
  const std::string text = svg({.title = "<b> & \"c\"",
                                .x_label = "a<b",
                                .y_label = "x&y",
                                .series = {{.label = "<script>", .x = {1, 2}, .y = {1, 2}}},
                                .guides = {{"\"g\" <", 1.5}}});
  CHECK(xml_fault(text) == "");
  CHECK(text.find("<script>") == std::string::npos);
  CHECK(text.find("&lt;b&gt; &amp; &quot;c&quot;") != std::string::npos);
}

TEST_CASE("a plot without values says so", "[evaluation]") {
  CHECK(svg({}).find("no values") != std::string::npos);
  CHECK(plot_of({1, 2}, {kNaN, kNaN}).find("no values") != std::string::npos);
  CHECK(plot_of({1, 2}, {-1, 0}, false, true).find("no values") != std::string::npos);
  CHECK(plot_of({1, 2}, {1, 2}).find("no values") == std::string::npos);
}

TEST_CASE("each point tells its values", "[evaluation]") {
  const std::string text = svg({.series = {{.label = "loss",
                                            .x = {1, 2},
                                            .y = {0.25, 0.125},
                                            .low = {-0.25, kNaN},
                                            .high = {1, kNaN},
                                            .points = true}}});
  CHECK(text.find("<title>loss: (1, 0.25 [-0.25, 1])</title>") != std::string::npos);
  CHECK(text.find("<title>loss: (2, 0.125)</title>") != std::string::npos);
}

TEST_CASE("a value left out interrupts the line", "[evaluation]") {
  const auto moves = [](const std::string& text) {
    const auto begin = text.find("<path d=\"");
    return occurrences(text.substr(begin, text.find('"', begin + 9) - begin), "M");
  };
  CHECK(moves(plot_of({1, 2, 3, 4, 5}, {1, 2, 3, 4, 5})) == 1);
  CHECK(moves(plot_of({1, 2, 3, 4, 5}, {1, 2, kNaN, 4, 5})) == 2);
  CHECK(moves(plot_of({1, 2, 3, 4, 5}, {1, 2, 0, 4, 5}, false, true)) == 2);
}

TEST_CASE("values lie inside the frame, larger ones higher and farther right", "[evaluation]") {
  const bool log = GENERATE(false, true);
  const std::string text =
      svg({.series = {{.x = {0.1, 1, 50}, .y = {0.02, 3, 700}, .points = true}}, .log_x = log, .log_y = log});
  double last_x = 0, last_y = 320;
  std::size_t count = 0;
  for (auto at = text.find("<circle cx=\""); at != std::string::npos;
       at = text.find("<circle cx=\"", at + 1), ++count) {
    const double x = std::stod(text.substr(at + 12)), y = std::stod(text.substr(text.find("cy=\"", at) + 4));
    CHECK(x >= last_x);
    CHECK(y <= last_y);
    CHECK(x <= 560);
    CHECK(y >= 0);
    last_x = x;
    last_y = y;
  }
  CHECK(count == 3);
}

TEST_CASE("named rows lie from the top, their intervals along x", "[evaluation]") {
  const std::string picture = svg({.title = "t",
                                   .x_label = "distance",
                                   .series = {{.x = {3}, .y = {0}, .low = {2}, .high = {4}, .points = true},
                                              {.x = {5}, .y = {1}, .low = {4}, .high = {6}, .points = true}},
                                   .guides = {{"real images", 2}},
                                   .y_names = {"heun & co", "euler"}});
  CHECK(xml_fault(picture) == "");
  CHECK(picture.find("heun &amp; co: 3 [2, 4]") != std::string::npos);
  CHECK(picture.find("euler: 5 [4, 6]") != std::string::npos);
  const auto number_after = [&](const char* what, std::size_t from) {
    const auto at = picture.find(what, from) + std::string_view(what).size();
    return std::pair{std::stod(picture.substr(at)), at};
  };
  const auto [x_first, first] = number_after("cx=\"", 0);
  const auto [y_first, first_y] = number_after("cy=\"", first);
  const auto [x_second, second] = number_after("cx=\"", first_y);
  const auto [y_second, second_y] = number_after("cy=\"", second);
  CHECK(y_first < y_second);
  CHECK(x_first < x_second);
  CHECK(picture.find("H", picture.find("<path d=\"M")) != std::string::npos);
}

TEST_CASE("a long line is thinned but keeps its extremes", "[evaluation]") {
  std::vector<double> x(200000), y(200000);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<double>(i);
    y[i] = std::sin(static_cast<double>(i));
  }
  y[77777] = 9.0;
  const std::string text = plot_of(x, y);
  const std::string spike = plot_of({0, 77777, 199999}, {-1, 9, 1});  // the same axes
  const auto top = [](const std::string& svg_text) {
    double least = 1e9;
    for (auto at = svg_text.find("cy=\""); at != std::string::npos; at = svg_text.find("cy=\"", at + 1))
      least = std::min(least, std::stod(svg_text.substr(at + 4)));
    const auto begin = svg_text.find("<path d=\"") + 9;
    const auto path = svg_text.substr(begin, svg_text.find('"', begin) - begin);
    for (auto at = path.find(' '); at != std::string::npos; at = path.find(' ', at + 1))
      least = std::min(least, std::stod(path.substr(at)));
    return least;
  };
  CHECK(text.size() < 120000);
  CHECK(std::abs(top(text) - top(spike)) < 0.5);
}

TEST_CASE("round ticks are multiples of 1, 2 or 5 powers of ten inside the range", "[evaluation]") {
  CHECK(round_ticks(0, 1, 5) == std::vector<double>({0, 0.2, 2 * 0.2, 3 * 0.2, 4 * 0.2, 1}));
  CHECK(round_ticks(-7, 12, 4) == std::vector<double>({-5, 0, 5, 10}));
  CHECK(round_ticks(3, 3, 5).empty());
  CHECK(round_ticks(0, kInfinity, 5).empty());
  for (const double high : {1e-12, 0.037, 1.0, 6.5, 123456.0, 1e200}) {
    const auto ticks = round_ticks(0, high, 6);
    CHECK(ticks.size() >= 3);
    CHECK(ticks.size() <= 7);
    CHECK(ticks.back() <= high * (1 + 1e-9));
  }
}

TEST_CASE("log ticks are powers of ten, finer in a narrow range", "[evaluation]") {
  CHECK(log_ticks(0.02, 300, 6) == std::vector<double>({0.1, 1, 10, 100}));
  CHECK(log_ticks(1.5, 7, 6) == std::vector<double>({2, 5}));
  CHECK(log_ticks(1e-20, 1e20, 6).size() <= 8);
  CHECK(log_ticks(0, 1, 6).empty());
  CHECK(log_ticks(3.1, 3.4, 5).size() >= 2);
}

TEST_CASE("numbers are shown in four digits", "[evaluation]") {
  CHECK(short_number(3.14159) == "3.142");
  CHECK(short_number(-0.0) == "0");
  CHECK(short_number(1.5e-7) == "1.5e-07");
  CHECK(short_number(50000) == "5e+04");
}
