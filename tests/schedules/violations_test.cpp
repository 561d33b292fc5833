#include "edmund/schedules/violations.h"

#include "schedules/cases.h"
#include "schedules/formulas.h"
#include "support/catch.h"

#include <cmath>
#include <limits>

namespace edmund::testing {

TEST_CASE("every schedule keeps its contract", "[schedules]") {
  for (const auto& yaml : schedule_cases()) {
    INFO(yaml);
    CHECK(violations(*schedule_of(yaml)) == std::vector<std::string>{});
  }
}

TEST_CASE("every breach of the contract is found", "[schedules]") {
  CHECK(violations(FormulaSchedule({})).empty());
  const double infinite = std::numeric_limits<double>::infinity();
  const std::pair<Formulas, const char*> broken[] = {
      {falling(), "σ does not increase"},
      {{.sigma = [](double t) { return std::min(t, 9.0); }}, "σ does not increase: 9 at"},
      {{.sigma = [=](double t) { return t > 10 ? infinite : t; }}, "t = 20, the end of the domain: σ = inf"},
      {{.sigma = [](double t) { return t - 1; }}, "σ = 0, expected above 0"},
      {{.sigma_dot = [](double) { return 0.0; }}, "dσ/dt = 0"},
      {{.sigma_dot = [=](double) { return infinite; }}, "dσ/dt = inf"},
      {{.sigma_dot = [](double) { return 1 + 1e-6; }}, "σ has rate 1.000001, but differences give"},
      {{.s = [](double t) { return 2 / t; }}, "t = 1: s = 2, expected in (0, 1]"},
      {{.s_dot = [](double) { return 0.1; }}, "ds/dt = 0.1"},
      {{.s_dot = [](double t) { return -2 / (t * t); }}, "s has rate -"},
      {{.time = [](double sigma) { return sigma * (1 + 1e-8); }}, "but σ(time(σ)) = "},
      {{.time = [](double sigma) { return sigma / 2; }}, "lies outside the schedule's [1, 20]"},
      {{.time = [](double) { return std::nan(""); }}, "time nan lies outside"},
  };
  for (const auto& [formulas, part] : broken) {
    std::string all;
    for (const auto& line : violations(FormulaSchedule(formulas))) all += line + "\n";
    INFO(part << " in\n" << all);
    CHECK(all.find(part) != std::string::npos);
  }
}

TEST_CASE("a breach is told once for each property", "[schedules]") {
  const auto found = violations(FormulaSchedule({.sigma_dot = [](double) { return 1.5; }}));
  REQUIRE(found.size() == 1);
  CHECK(found.front().find("σ has rate 1.5") != std::string::npos);
}

}  // namespace edmund::testing
