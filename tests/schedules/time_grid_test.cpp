#include "edmund/diffusion/time_grid.h"

#include "schedules/cases.h"
#include "schedules/grids.h"
#include "support/catch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace edmund::testing {
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

TEST_CASE("every grid falls strictly inside every schedule", "[schedules]") {
  for (const auto& yaml : schedule_cases()) {
    const auto schedule = schedule_of(yaml);
    for (const auto& entry : grid_table()) {
      for (const char* steps : {"1", "2", "37"}) {
        std::string text = "{type: " + std::string(entry.name) + ", steps: " + steps + "}";
        if (entry.name == "explicit")
          text = "{type: explicit, times: [" + number_text(schedule->times().high) + ", " +
                 number_text(schedule->times().low) + "]}";
        if (entry.name == "file") continue;  // it has a test of its own
        if (entry.name == "native" && std::ssize(schedule->levels()) < 37) continue;
        if (entry.name == "edm_iddpm" && schedule->sigmas().high < 4) continue;
        INFO(yaml << " " << text);
        // σ = 0.1 so near to t = 0 takes a great β there, which would have to fall below 0 to reach
        // no more than this at t = 1.
        if (entry.name == "edm_vp" && schedule->sigmas().low > 0.09 && schedule->sigmas().high < 10) {
          CHECK(has_message(text, *schedule, "no VP clock"));
          continue;
        }
        const TimeGrid result = grid(text, *schedule);
        CHECK((result.t.size() == std::stoul(steps) || entry.name == "explicit"));
        CHECK(std::adjacent_find(result.t.begin(), result.t.end(), std::less_equal<>()) == result.t.end());
        CHECK(result.t.back() > 0 - (schedule->times().low == 0.0));
        for (const double t : result.t)
          CHECK((t <= schedule->times().high * (1 + 1e-9) && t >= schedule->times().low * (1 - 1e-9)));
      }
    }
  }
}

TEST_CASE("karras is EDM's grid of 18", "[schedules]") {
  const double expected[] = {80,     57.586, 40.7856, 28.3746, 19.3525, 12.9101, 8.4009, 5.3152, 3.2568,
                             1.9233, 1.0882, .5853,   .2964,   .1395,   .0599,   .0229,  .0075,  .002};
  const TimeGrid result = grid("{type: karras}", *schedule_of("{type: edm}"));
  REQUIRE(result.t.size() == 18);
  for (std::size_t i = 0; i < 18; ++i)
    CHECK_THAT(result.t[i], WithinRel(expected[i], 1e-3) || WithinAbs(expected[i], 5.1e-5));
}

TEST_CASE("a grid is the same set of sigmas on every schedule that spans it", "[schedules]") {
  for (const char* yaml :
       {"{type: karras, sigma_min: 0.02, sigma_max: 50}", "{type: log_snr, rho: 2, sigma_min: 0.02, sigma_max: 50}",
        "{type: edm_vp, sigma_min: 0.02, sigma_max: 50}", "{type: edm_ve, sigma_min: 0.02, sigma_max: 50}",
        "{type: edm_iddpm, sigma_min: 0.02, sigma_max: 50}", "{type: explicit, sigmas: [40, 3, 0.5, 0.03]}"}) {
    const TimeGrid expected = grid(yaml, *schedule_of("{type: edm}"));
    for (const auto& other : schedules_that_span({0.02, 50})) {
      INFO(yaml << " on " << other);
      const auto schedule = schedule_of(other);
      const TimeGrid result = grid(yaml, *schedule);
      REQUIRE(result.t.size() == expected.t.size());
      for (std::size_t i = 0; i < expected.t.size(); ++i)
        CHECK_THAT(schedule->sigma(result.t[i]), WithinRel(expected.t[i], 1e-9));
    }
  }
}

TEST_CASE("grids that are uniform in t, √t and ln σ are so", "[schedules]") {
  const auto vp = schedule_of("{type: vp}");
  const TimeGrid uniform = grid("{type: uniform, steps: 5}", *vp), quadratic = grid("{type: quadratic, steps: 5}", *vp);
  const TimeGrid log_snr = grid("{type: log_snr, steps: 5}", *schedule_of("{type: edm}"));
  for (int i = 0; i < 5; ++i) {
    const auto k = static_cast<std::size_t>(i);
    CHECK_THAT(uniform.t[k], WithinRel(1 - i / 4.0 * (1 - 1e-3), 1e-12));
    CHECK_THAT(std::sqrt(quadratic.t[k]), WithinRel(1 - i / 4.0 * (1 - std::sqrt(1e-3)), 1e-12));
    CHECK_THAT(std::log(log_snr.t[k]), WithinRel(std::log(80.0) - i / 4.0 * std::log(40000.0), 1e-12));
  }
}

TEST_CASE("beta has the quantiles of the Beta distribution between its ends", "[schedules]") {
  const auto edm = schedule_of("{type: edm}");
  // Beta(1/2, 1/2) is the arcsine distribution, Beta(a, 1) has the quantiles p^(1/a).
  const auto arcsine = grid("{type: beta, steps: 9, alpha: 0.5, beta: 0.5, sigma_min: 1, sigma_max: 3}", *edm).t;
  const auto power = grid("{type: beta, steps: 9, alpha: 2.5, beta: 1, sigma_min: 1, sigma_max: 3}", *edm).t;
  const auto even = grid("{type: beta, steps: 9, alpha: 1, beta: 1, sigma_min: 1, sigma_max: 3}", *edm).t;
  for (std::size_t i = 0; i < 9; ++i) {
    const double p = 1 - static_cast<double>(i) / 8;
    CHECK_THAT(arcsine[i], WithinRel(1 + 2 * std::pow(std::sin(std::numbers::pi * p / 2), 2), 1e-12));
    CHECK_THAT(power[i], WithinRel(1 + 2 * std::pow(p, 0.4), 1e-12));
    CHECK_THAT(even[i], WithinRel(1 + 2 * p, 1e-12));
  }
  // as many points near either end
  const auto usual = grid("{type: beta, steps: 9, sigma_min: 1, sigma_max: 3}", *edm).t;
  for (std::size_t i = 0; i < 9; ++i) CHECK_THAT(usual[i] + usual[8 - i], WithinRel(4.0, 1e-12));
}

TEST_CASE("grids of σ space flow times where their unit says so", "[schedules]") {
  // t from 0.2 to 0.9: what the same grid makes of σ between these.
  const auto flow = schedule_of("{type: flow}"), edm = schedule_of("{type: edm}");
  for (const std::string type : {"karras", "beta", "log_snr, rho: 1.5"}) {
    INFO(type);
    const auto times = grid("{type: " + type + ", unit: flow, steps: 7, sigma_min: 0.25, sigma_max: 9}", *flow).t;
    const auto levels = grid("{type: " + type + ", steps: 7, sigma_min: 0.2, sigma_max: 0.9}", *edm).t;
    REQUIRE(times.size() == levels.size());
    for (std::size_t i = 0; i < times.size(); ++i) CHECK_THAT(times[i], WithinRel(levels[i], 1e-12));
  }
}

TEST_CASE("default ranges are the published ones, cut to schedule and network", "[schedules]") {
  const auto edm = schedule_of("{type: edm, sigma_min: 1e-4, sigma_max: 1e4}"), ddpm = schedule_of("{type: ddpm}");
  const auto ends = [](const NoiseSchedule& schedule, const TimeGrid& result) {
    return Interval{schedule.sigma(result.t.back()), schedule.sigma(result.t.front())};
  };
  const auto check = [&](const NoiseSchedule& schedule, std::string_view yaml, Interval network, double low,
                         double high) {
    INFO(yaml);
    const Interval found = ends(schedule, grid(yaml, schedule, network));
    CHECK_THAT(found.low, WithinRel(low, 1e-4));
    CHECK_THAT(found.high, WithinRel(high, 1e-4));
  };
  const Interval any{0, 1e300};
  check(*edm, "{type: karras}", any, 0.002, 80);
  check(*edm, "{type: edm_vp}", any, 0.010486, 152.167);
  check(*edm, "{type: edm_ve}", any, 0.02, 100);
  check(*edm, "{type: uniform}", any, 1e-4, 1e4);
  check(*edm, "{type: karras}", {0.0064, 20291}, 0.0064, 80);
  check(*edm, "{type: karras, sigma_min: 0.001, sigma_max: 500}", {0.01, 50}, 0.01, 50);
  check(*ddpm, "{type: karras}", any, ddpm->sigma(1), 80);
  check(*ddpm, "{type: log_snr}", any, ddpm->sigma(1), ddpm->sigma(1000));
  for (const char* type : {"{type: uniform}", "{type: log_snr}", "{type: quadratic}", "{type: karras}"})
    check(*schedule_of("{type: flow}"), type, any, 0.002, 80);
}

TEST_CASE("iDDPM levels are those of the EDM paper's code", "[schedules]") {
  const auto u = iddpm_levels();
  REQUIRE(u.size() == 1000);
  CHECK_THAT(u[0], WithinRel(20291.17, 1e-6));
  CHECK_THAT(u[1], WithinRel(641.662, 1e-6));
  CHECK_THAT(u[999], WithinRel(0.00642541, 1e-6));
  CHECK(std::count_if(u.begin(), u.end(), [](double sigma) { return sigma >= 0.002 && sigma <= 81; }) == 992);
}

TEST_CASE("iDDPM's levels keep their digits where there are a million of them", "[schedules]") {
  // In 60 digits (mpmath); the lowest levels.
  const auto u = iddpm_levels(1'000'000);
  CHECK_THAT(u[999'999], WithinRel(0.00019712611508520377981, 1e-12));
  CHECK_THAT(u[999'966], WithinRel(0.0011506180552546294882, 1e-12));
  CHECK_THAT(iddpm_levels()[999], WithinRel(0.0064254127711271707561, 1e-12));
}

TEST_CASE("flow_shift multiplies the σ of uniform flow times", "[schedules]") {
  const auto flow = schedule_of("{type: flow, t_min: 1e-4, t_max: 0.9999}"), edm = schedule_of("{type: edm}");
  const auto t = [&](const char* yaml) { return grid(yaml, *flow).t; };
  const auto plain = t("{type: flow_shift, steps: 4, first: 0.9}");
  const double expected[] = {0.9, 0.9 - 0.65 / 3, 0.9 - 1.3 / 3, 0.25};
  for (std::size_t i = 0; i < 4; ++i) CHECK_THAT(plain[i], WithinRel(expected[i], 1e-12));
  const auto shifted = t("{type: flow_shift, steps: 4, first: 0.9, shift: 3}");
  for (std::size_t i = 0; i < 4; ++i) CHECK_THAT(shifted[i], WithinRel(3 * expected[i] / (1 + 2 * expected[i]), 1e-12));
  // e^mu; mu by the tokens of an image of 1024 pixels a side (FLUX); the same σ on another schedule
  const auto by_mu = t("{type: flow_shift, steps: 5, mu: 1.15}");
  const auto by_tokens = t("{type: flow_shift, steps: 5, tokens: 4096}");
  const auto by_shift = t("{type: flow_shift, steps: 5, shift: 3.1581929096897672}");
  const auto linear = t("{type: flow_shift, steps: 5, mu: 3.1581929096897672, time_shift: linear}");
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK_THAT(by_mu[i], WithinRel(by_shift[i], 1e-12));
    CHECK_THAT(by_tokens[i], WithinRel(by_shift[i], 1e-12));
    CHECK_THAT(linear[i], WithinRel(by_shift[i], 1e-12));
  }
  const auto sigmas = grid("{type: flow_shift, steps: 5, first: 0.9, shift: 3}", *edm).t,
             times = t("{type: flow_shift, steps: 5, first: 0.9, shift: 3}");
  for (std::size_t i = 0; i < 5; ++i) CHECK_THAT(flow->sigma(times[i]), WithinRel(sigmas[i], 1e-12));
  CHECK_THAT(t("{type: flow_shift, steps: 8, terminal: 0.02}").back(), WithinRel(0.02, 1e-12));
  CHECK(has_message("{type: flow_shift, shift: 2, mu: 1}", *flow, "one of shift, mu and tokens"));
  CHECK(has_message("{type: flow_shift, tokens: 9, mu: 1}", *flow, "one of shift, mu and tokens"));
  CHECK(has_message("{type: flow_shift, mu: -1, time_shift: linear}", *flow, "above 0"));
  CHECK(has_message("{type: flow_shift, first: 0.2, last: 0.3}", *flow, "no times from first"));
}

TEST_CASE("on a snapped schedule a grid has known levels only and no time twice", "[schedules]") {
  std::vector<double> levels = iddpm_levels(100);
  std::reverse(levels.begin(), levels.end());
  for (const char* yaml : {"{type: edm, sigma_min: 1e-3}", "{type: vp}", "{type: flow}", "{type: ddpm}"}) {
    const auto schedule = snapped(schedule_of(yaml), levels);
    for (const char* text : {"{type: karras, steps: 300}", "{type: uniform, steps: 300}",
                             "{type: quadratic, steps: 300}", "{type: edm_vp, steps: 300}"}) {
      INFO(yaml << " " << text);
      const TimeGrid result = grid(text, *schedule);
      CHECK(result.t.size() <= 100);
      CHECK(result.t.size() > 5);
      CHECK(std::adjacent_find(result.t.begin(), result.t.end(), std::less_equal<>()) == result.t.end());
      for (const double t : result.t) {
        const double sigma = schedule->sigma(t);
        CHECK(std::any_of(levels.begin(), levels.end(),
                          [&](double level) { return std::abs(level - sigma) < 1e-9 * sigma; }));
      }
    }
  }
}

TEST_CASE("native spacings are the papers' entries", "[schedules]") {
  const auto schedule = schedule_of("{type: ddpm}");
  const auto entries = [&](std::string_view yaml) { return grid(yaml, *schedule).t; };
  CHECK(entries("{type: native, steps: 4}") == std::vector<double>{751, 501, 251, 1});
  CHECK(entries("{type: native, steps: 4, offset: 1}") == std::vector<double>{752, 502, 252, 2});
  CHECK(entries("{type: native, steps: 4, spacing: linspace}") == std::vector<double>{1000, 667, 334, 1});
  CHECK(entries("{type: native, steps: 4, spacing: trailing}") == std::vector<double>{1000, 750, 500, 250});
  CHECK(entries("{type: native, steps: 5, spacing: quadratic}") == std::vector<double>{801, 451, 201, 51, 1});
  CHECK(entries("{type: native, steps: 1000}").size() == 1000);
}

TEST_CASE("wrong options of grids are recorded and a valid grid comes back", "[schedules]") {
  const auto edm = schedule_of("{type: edm}"), ddpm = schedule_of("{type: ddpm}");
  CHECK(has_message("{type: karas}", *edm, "karras"));
  CHECK(has_message("{steps: 0}", *edm, "steps"));
  CHECK(has_message("{rho: 0}", *edm, "rho"));
  CHECK(has_message("{sigma_min: 30, sigma_max: 2}", *edm, "no noise levels"));
  CHECK(has_message("{sigma_max: 200}", *edm, "sigma_max"));
  CHECK(has_message("{}", *edm, "no noise levels", {90, 100}));
  CHECK(has_message("{type: native}", *edm, "native"));
  CHECK(has_message("{type: native, steps: 2000}", *ddpm, "1000"));
  CHECK(has_message("{type: native, steps: 10, offset: 100}", *ddpm, "offset"));
  CHECK(has_message("{type: explicit}", *edm, "decreasing"));
  CHECK(has_message("{type: explicit, sigmas: [1, 2]}", *edm, "decreasing"));
  CHECK(has_message("{type: explicit, sigmas: [200, 2]}", *edm, "sigmas"));
  CHECK(has_message("{type: explicit, sigmas: [20, 2], times: [1]}", *edm, "either"));
  CHECK(has_message("{type: edm_iddpm, M: 2}", *edm, "none of the 2 levels", {0.01, 0.02}));
}

TEST_CASE("timesteps are entries of a table, counted from 0 as diffusers counts them", "[schedules]") {
  const auto ddpm = schedule_of("{type: ddpm}");
  const TimeGrid read = grid("{type: explicit, timesteps: [999, 500, 0]}", *ddpm);
  CHECK(read.t == std::vector<double>{1000, 501, 1});
  CHECK(has_message("{type: explicit, timesteps: [1000, 0]}", *ddpm, "at most 999"));
  CHECK(has_message("{type: explicit, timesteps: [0, 999]}", *ddpm, "decreasing"));
  CHECK(has_message("{type: explicit, timesteps: [9, 0]}", *schedule_of("{type: edm}"), "table"));
}

TEST_CASE("steps pairs each time with the next", "[schedules]") {
  CHECK(steps({{3.0, 2.0, 0.5}}) == std::vector<std::pair<double, double>>{{3.0, 2.0}, {2.0, 0.5}});
  CHECK(steps({{3.0}}).empty());
}

}  // namespace edmund::testing
