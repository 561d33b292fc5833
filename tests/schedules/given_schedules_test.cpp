// Schedules that a config or a file gives: `formula` and `table`.
#include "../../schedules/expression.h"
#include "edmund/archives/npy.h"
#include "edmund/archives/zip_archive.h"
#include "edmund/core/error.h"
#include "edmund/schedules/violations.h"
#include "schedules/cases.h"
#include "support/catch.h"
#include "support/temporary_folder.h"

#include <cmath>
#include <functional>
#include <iterator>
#include <map>
#include <numbers>

namespace edmund::testing {
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

std::string message_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// Bytes of a .npz file of these lists.
std::string npz_of(const std::map<std::string, std::vector<double>>& lists) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& [name, list] : lists) {
    const std::string_view bytes(reinterpret_cast<const char*>(list.data()), 8 * list.size());
    files.emplace_back(name + ".npy", npy_header_bytes("<f8", {std::ssize(list)}) + std::string(bytes));
  }
  return zip_bytes(files);
}

}  // namespace

TEST_CASE("formulas have the usual precedence", "[schedules]") {
  const std::pair<const char*, double> cases[] = {
      {"2 + 3*4^2/8 - 1", 7}, {"2^3^2", 512},           {"-2^2", -4},
      {"2^-1", 0.5},          {"-(1 - 3)*--2", 4},      {"1e-3 + .5 + 2.", 2.501},
      {"8/4/2", 1},           {"pi", std::numbers::pi}, {"t*t - t", 0.3 * 0.3 - 0.3},
      {"exp ( log(t) )", 0.3}};
  for (const auto& [text, value] : cases) {
    INFO(text);
    CHECK_THAT(Expression(text).at(0.3).value, WithinAbs(value, 1e-14 * std::max(1.0, std::abs(value))));
  }
}

TEST_CASE("derivatives of formulas are those of differences", "[schedules]") {
  for (const char* text : {"exp(2*t)", "log(t)",  "sqrt(t)",           "sin(3*t)", "cos(t)",    "tan(t)", "atan(5*t)",
                           "sinh(t)",  "cosh(t)", "tanh(t)",           "expm1(t)", "log1p(t)",  "t^3",    "t^-0.5",
                           "2^t",      "t^t",     "(1 - t)/(t + t^2)", "-t",       "t*exp(-t)", "7"}) {
    INFO(text);
    const Expression f(text);
    const double h = 1e-3;
    const auto central = [&](double step) { return (f.at(0.4 + step).value - f.at(0.4 - step).value) / (2 * step); };
    CHECK_THAT(f.at(0.4).slope, WithinAbs((4 * central(h / 2) - central(h)) / 3, 1e-9));
  }
  CHECK(Expression("t^2").at(0.0).slope == 0.0);  // not 0·∞
  CHECK(Expression("5^0 * t").at(0.0).slope == 1.0);
}

TEST_CASE("a wrong formula is told by its column", "[schedules]") {
  const std::pair<const char*, const char*> cases[] = {
      {"1 + ", "column 5: expected a number"},
      {"(1 + t", "column 7: expected ')' for the '(' of column 1"},
      {"2 t", "column 3: expected an operator"},
      {"3 + sqr(t)", "column 5: unknown name 'sqr'; did you mean 'sqrt'"},
      {"σ + 1", "column 1: expected a number"},
      {"1 ± t", "column 3: expected an operator"},
      {"exp t", "column 5: expected '(' after exp"},
      {"1e", "column 1: '1e' is no number"},
      {"", "column 1: expected a number"}};
  for (const auto& [text, part] : cases) CHECK_THAT(message_of([&] { Expression e(text); }), ContainsSubstring(part));
  CHECK_THAT(message_of([] { Expression e(std::string(100000, '(')); }), ContainsSubstring("in each other"));
  CHECK_THAT(message_of([] { Expression e(std::string(100000, '-')); }), ContainsSubstring("in each other"));
}

TEST_CASE("a formula that is a schedule of the table is that schedule", "[schedules]") {
  const std::pair<const char*, const char*> cases[] = {
      {"{type: flow}", "{type: formula, s: 1 - t, sigma: t/(1 - t), t: [1e-3, 0.999]}"},
      {"{type: cosine}", "{type: formula, s: cos(pi*t/2), sigma: tan(pi*t/2), t: [1e-3, 0.999]}"},
      {"{type: vp}",
       "{type: formula, s: exp(-(0.1*t + 9.95*t^2)/2), sigma: sqrt(expm1(0.1*t + 9.95*t^2)), t: [1e-3, 1]}"}};
  for (const auto& [plugin, formula] : cases) {
    const auto own = schedule_of(plugin), given = schedule_of(formula);
    INFO(formula);
    CHECK(given->clean_time() == own->clean_time());
    for (const double t : {1e-3, 0.01, 0.2, 0.5, 0.77, 0.99, 0.999}) {
      CHECK_THAT(given->scale(t), WithinRel(own->scale(t), 1e-13));
      CHECK_THAT(given->sigma(t), WithinRel(own->sigma(t), 1e-13));
      CHECK_THAT(given->scale_rate(t), WithinRel(own->scale_rate(t), 1e-11));
      CHECK_THAT(given->sigma_rate(t), WithinRel(own->sigma_rate(t), 1e-11));
      CHECK_THAT(given->time(own->sigma(t)), WithinRel(t, 1e-12));
    }
  }
}

TEST_CASE("formulas that are no schedule are refused with the time", "[schedules]") {
  const auto told = [](const std::string& yaml) {
    return message_of([&] { schedule_of("{type: formula, " + yaml + "}"); });
  };
  CHECK_THAT(told("s: 1, sigma: 1/t, t: [1, 2]"), ContainsSubstring("sigma: dσ/dt = -1 at t = 1: σ must increase"));
  CHECK_THAT(told("s: 1, sigma: \"sin(t)\", t: [0.1, 3]"), ContainsSubstring("σ must increase"));
  CHECK_THAT(told("s: 1 + t, sigma: t, t: [0.1, 1]"), ContainsSubstring("expected in (0, 1]"));
  CHECK_THAT(told("s: 0.5 + 0.1*t, sigma: t, t: [0.1, 1]"), ContainsSubstring("s must not increase"));
  CHECK_THAT(told("s: 1, sigma: t, t: [0, 1]"), ContainsSubstring("σ = 0 at t = 0"));
  CHECK_THAT(told("s: 1, sigma: \"log(t - 0.5)\", t: [0.1, 1]"), ContainsSubstring("expected above 0 and finite"));
  CHECK_THAT(told("s: 1, sigma: t + foo, t: [0.1, 1]"), ContainsSubstring("sigma: column 5: unknown name 'foo'"));
  CHECK_THAT(told("s: 1, sigma: exp(t), t: [-1, 1]"), ContainsSubstring("must not begin below 0"));
  CHECK_THAT(told("s: 1, sigma: t"), ContainsSubstring("[low, high]"));
  CHECK_THAT(told("t: [0.1, 1]"), ContainsSubstring("sigma"));
}

TEST_CASE("a table goes through its rows and is near the schedule that they were taken from", "[schedules]") {
  const auto own = schedule_of("{type: cosine}");
  std::string t, s, sigma;
  for (int i = 0; i <= 40; ++i) {
    const double at = std::lerp(0.01, 0.99, i / 40.0);
    const char* comma = i == 0 ? "" : ", ";
    t += comma + number_text(at), s += comma + number_text(own->scale(at)),
        sigma += comma + number_text(own->sigma(at));
  }
  const auto table = schedule_of("{type: table, times: [" + t + "], s: [" + s + "], sigma: [" + sigma + "]}");
  CHECK(table->times().low == 0.01);
  CHECK(table->times().high == 0.99);
  CHECK_FALSE(table->clean_time().has_value());
  for (int i = 0; i <= 40; ++i) {
    const double at = std::lerp(0.01, 0.99, i / 40.0);
    CHECK_THAT(table->scale(at), WithinRel(own->scale(at), 1e-14));
    CHECK_THAT(table->sigma(at), WithinRel(own->sigma(at), 1e-14));
    CHECK_THAT(table->time(own->sigma(at)), WithinRel(at, 1e-12));
  }
  // Cubics of steps of 0.025 with slopes of second order, where ln σ bends little.
  for (const double at : {0.31, 0.5123, 0.66}) CHECK_THAT(table->sigma(at), WithinRel(own->sigma(at), 2e-4));
}

TEST_CASE("a table with sharp bends keeps a schedule's contract", "[schedules]") {
  CHECK(violations(
            *schedule_of("{type: table, times: [0.01, 0.1, 0.2, 0.5, 0.9, 0.99], s: [1, 1, 0.95, 0.7, 0.15, 0.01], "
                         "sigma: [0.0157, 0.158, 0.325, 1, 6.31, 63.6]}")) == std::vector<std::string>{});
  CHECK(violations(*schedule_of("{type: table, times: [0, 2, 3, 3.5, 7], s: [1, 1, 1, 0.3, 0.01], "
                                "sigma: [0.01, 0.2, 0.21, 20, 100]}")) == std::vector<std::string>{});
}

TEST_CASE("a table is read from a file, with or without the names of its columns", "[schedules]") {
  const TemporaryFolder folder;
  const auto read = [&](const std::string& text) {
    const auto file = folder.write("schedule.csv", text);
    return schedule_of("{type: table, file: '" + file + "'}");
  };
  const auto plain = read("0.1,1,0.01\n0.5,0.5,1\n1,0.1,50\n");
  const auto named =
      read("\xEF\xBB\xBF# made by hand\r\nsigma, t, \"s\"\r\n\r\n0.01, 0.1, 1\r\n1, 5e-1, 0.5\r\n50, 1, 0.1");
  for (const double t : {0.1, 0.3, 0.5, 0.8, 1.0}) {
    CHECK(plain->sigma(t) == named->sigma(t));
    CHECK(plain->scale(t) == named->scale(t));
  }
  CHECK_THAT(plain->sigma(0.5), WithinRel(1.0, 1e-15));
  CHECK(violations(*plain).empty());
}

TEST_CASE("a table of an .npz file is that of the CSV file with the same numbers", "[schedules]") {
  const TemporaryFolder folder;
  const auto csv = folder.write("a.csv", "0.1,1,0.01\n0.5,0.5,1\n1,0.1,50\n");
  const auto npz = folder.write(
      "a.npz", npz_of({{"t", {0.1, 0.5, 1}}, {"s", {1, 0.5, 0.1}}, {"sigma", {0.01, 1, 50}}, {"other", {7}}}));
  const auto plain = schedule_of("{type: table, file: '" + csv + "'}"),
             packed = schedule_of("{type: table, file: '" + npz + "'}");
  for (const double t : {0.1, 0.3, 0.5, 0.8, 1.0}) {
    CHECK(plain->sigma(t) == packed->sigma(t));
    CHECK(plain->scale(t) == packed->scale(t));
  }
}

TEST_CASE("tables that are no schedule are refused with the row", "[schedules]") {
  const TemporaryFolder folder;
  const auto told = [&](const std::string& text, const char* name = "schedule.csv") {
    const auto file = folder.write(name, text);
    return message_of([&] { schedule_of("{type: table, file: '" + file + "'}"); });
  };
  CHECK_THAT(told("0,1,0.1\n1,1,0.05\n"), ContainsSubstring("row 2 (t = 1, s = 1, sigma = 0.05): sigma must increase"));
  CHECK_THAT(told("0,1,0.1\n0,1,0.5\n"), ContainsSubstring("t must increase"));
  CHECK_THAT(told("0,0.5,0.1\n1,0.6,0.5\n"), ContainsSubstring("s must not increase"));
  CHECK_THAT(told("0,2,0.1\n1,0.6,0.5\n"),
             ContainsSubstring("row 1 (t = 0, s = 2, sigma = 0.1): s must lie in (0, 1]"));
  CHECK_THAT(told("0,1,0\n1,0.6,0.5\n"), ContainsSubstring("sigma must be above 0"));
  CHECK_THAT(told("-1,1,0.1\n1,0.6,0.5\n"), ContainsSubstring("t must be at least 0"));
  CHECK_THAT(told("0,1,0.1\n"), ContainsSubstring("at least 2 rows are needed, found 1"));
  CHECK_THAT(told("0,1\n"), ContainsSubstring("line 1: expected 3 fields, t, s and sigma, found 2"));
  CHECK_THAT(told("t,s,beta\n0,1,2\n"), ContainsSubstring("unknown column 'beta'"));
  CHECK_THAT(told("t,s,s\n0,1,2\n"), ContainsSubstring("named twice"));
  CHECK_THAT(told("0,1,0.1\n1,x,3\n"), ContainsSubstring("line 2: 'x' is no number"));
  CHECK_THAT(told("0,1,0.1\n1,nan,3\n"), ContainsSubstring("line 2: 'nan' is no number"));
  CHECK_THAT(told("PK", "schedule.npz"), ContainsSubstring("zip archive"));
  CHECK_THAT(told("x", "schedule.npy"), ContainsSubstring("numpy.savez"));
  CHECK_THAT(told(npz_of({{"t", {0, 1}}, {"s", {1, 0.5}}}), "schedule.npz"),
             ContainsSubstring("no list of numbers 'sigma'; there are s, t"));
  CHECK_THAT(told(npz_of({{"t", {0, 1}}, {"s", {1, 0.5}}, {"sigma", {2, 1}}}), "schedule.npz"),
             ContainsSubstring("sigma must increase"));
  CHECK_THAT(message_of([] { schedule_of("{type: table, file: nowhere.csv}"); }), ContainsSubstring("nowhere.csv"));
  CHECK_THAT(message_of([] { schedule_of("{type: table}"); }), ContainsSubstring("either a `file` or the lists"));
  CHECK_THAT(message_of([] { schedule_of("{type: table, times: [0, 1], s: [1, 1], sigma: [1]}"); }),
             ContainsSubstring("of one length"));
}

}  // namespace edmund::testing
