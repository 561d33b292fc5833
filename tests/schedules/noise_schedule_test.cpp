#include "edmund/schedules/noise_schedule.h"

#include "edmund/core/error.h"
#include "schedules/cases.h"
#include "support/catch.h"

#include <cmath>
#include <numbers>
#include <random>

namespace edmund::testing {
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

// Ends of the interval, seeded random points inside, and points crowded towards either end.
std::vector<double> sample_times(Interval times) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> uniform;
  std::vector<double> out{times.low, times.high};
  for (int i = 0; i < 200; ++i) {
    out.push_back(std::lerp(times.low, times.high, uniform(random)));
    out.push_back(std::lerp(times.low, times.high, std::pow(10, -6 * uniform(random))));
    out.push_back(std::lerp(times.high, times.low, std::pow(10, -6 * uniform(random))));
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Derivative by Richardson-extrapolated central differences, error O(h⁴).
template <typename Function>
double slope(Function&& f, double t, double h) {
  const auto central = [&](double step) { return (f(t + step) - f(t - step)) / (2 * step); };
  return (4 * central(h / 2) - central(h)) / 3;
}

bool has_message(const std::string& yaml, const std::string& part) {
  try {
    schedule(yaml);
  } catch (const Error& error) {
    INFO(error.what());
    CHECK(std::string(error.what()).find(part) != std::string::npos);
    return std::string(error.what()).find(part) != std::string::npos;
  }
  return false;
}

}  // namespace

TEST_CASE("time inverts sigma on every schedule", "[schedules]") {
  for (const auto& yaml : schedule_cases()) {
    INFO(yaml);
    const auto path = schedule(yaml);
    for (const double t : sample_times(path->times())) {
      const double sigma = path->sigma(t);
      INFO("t = " << t << ", sigma = " << sigma);
      CHECK_THAT(path->sigma(path->time(sigma)), WithinRel(sigma, 1e-9));
      // Where a relative change of σ moves t little (VE near t = 0) t itself is known to rounding of the interval only.
      CHECK_THAT(path->time(sigma), WithinRel(t, 1e-9) || WithinAbs(t, 1e-13 * path->times().high));
    }
  }
}

TEST_CASE("every schedule is finite, positive and increasing on its closed interval", "[schedules]") {
  for (const auto& yaml : schedule_cases()) {
    INFO(yaml);
    const auto path = schedule(yaml);
    double previous = 0.0, before = -1.0;
    for (const double t : sample_times(path->times())) {
      INFO("t = " << t);
      CHECK((path->scale(t) > 0 && path->scale(t) <= 1));
      CHECK((path->sigma_rate(t) > 0 && std::isfinite(path->sigma_rate(t))));
      CHECK((path->scale_rate(t) <= 0 && std::isfinite(path->scale_rate(t))));
      CHECK(std::isfinite(path->sigma(t)));
      if (t > before) CHECK(path->sigma(t) > previous);
      previous = path->sigma(t), before = t;
    }
    CHECK(path->domain().low == path->times().low);
    CHECK(path->domain().high >= path->times().high);
    CHECK(std::isfinite(path->sigma(path->domain().high)));
    CHECK(path->sigmas().low == path->sigma(path->times().low));
    CHECK(path->sampling_sigmas().low >= path->sigmas().low);
    CHECK(path->sampling_sigmas().high <= path->sigmas().high);
  }
}

TEST_CASE("rates are the derivatives of scale and sigma", "[schedules]") {
  for (const auto& yaml : schedule_cases()) {
    INFO(yaml);
    const auto path = schedule(yaml);
    const Interval times = path->times();
    const bool table = !path->levels().empty();
    for (double t : sample_times(times)) {
      double h = 1e-3 * std::min(t - times.low, times.high - t);
      // Inside an interval of a table: the slope jumps at its entries.
      if (table) h = std::min(h, 0.4 * std::min(t - std::floor(t), std::ceil(t) - t));
      if (h <= 1e-6 * t) continue;
      INFO("t = " << t << ", h = " << h);
      const auto sigma = [&](double at) { return path->sigma(at); };
      const auto scale = [&](double at) { return path->scale(at); };
      // Rounding of f over h, and the O(h⁴) remainder.
      CHECK_THAT(path->sigma_rate(t),
                 WithinRel(slope(sigma, t, h), 1e-7) || WithinAbs(slope(sigma, t, h), 1e-14 * sigma(t) / h));
      CHECK_THAT(path->scale_rate(t),
                 WithinRel(slope(scale, t, h), 1e-7) || WithinAbs(slope(scale, t, h), 1e-14 * scale(t) / h));
    }
  }
}

TEST_CASE("schedules are their formulas", "[schedules]") {
  const double t = 0.37;
  CHECK(schedule("{type: edm}")->sigma(t) == t);
  CHECK_THAT(schedule("{type: ve}")->sigma(t), WithinRel(0.02 * std::pow(5000.0, t), 1e-13));
  CHECK_THAT(schedule("{type: ve, clock: sqrt}")->sigma(t), WithinRel(std::sqrt(t), 1e-15));
  const double B = 0.1 * t + 0.5 * 19.9 * t * t;
  CHECK_THAT(schedule("{type: vp}")->scale(t), WithinRel(std::exp(-B / 2), 1e-14));
  CHECK_THAT(schedule("{type: vp}")->sigma(t), WithinRel(std::sqrt(std::exp(B) - 1), 1e-14));
  CHECK_THAT(schedule("{type: sub_vp}")->scale(t) * schedule("{type: sub_vp}")->sigma(t),
             WithinRel(1 - std::exp(-B), 1e-14));
  CHECK_THAT(schedule("{type: cosine}")->scale(t), WithinRel(std::cos(std::numbers::pi * t / 2), 1e-14));
  CHECK_THAT(schedule("{type: flow}")->scale(t) * schedule("{type: flow}")->sigma(t), WithinRel(t, 1e-14));
  CHECK_THAT(schedule("{type: ve, scale: variance_preserving}")->scale(t),
             WithinRel(1 / std::sqrt(1 + std::pow(0.02 * std::pow(5000.0, t), 2)), 1e-13));
  CHECK(schedule("{type: vp, scale: unit}")->scale(t) == 1.0);
}

TEST_CASE("vp has g² = β and sub_vp g² = β (1 - exp(-2B))", "[schedules]") {
  for (const double t : sample_times({1e-3, 1.0})) {
    const double beta = 0.1 + 19.9 * t, B = 0.1 * t + 0.5 * 19.9 * t * t;
    const auto square = [t](const NoiseSchedule& path) {
      return 2 * std::pow(path.scale(t), 2) * path.sigma(t) * path.sigma_rate(t);
    };
    CHECK_THAT(square(*schedule("{type: vp}")), WithinRel(beta, 1e-12));
    CHECK_THAT(square(*schedule("{type: sub_vp}")), WithinRel(-beta * std::expm1(-2 * B), 1e-12));
  }
}

TEST_CASE("vp solves its betas from a range of sigma", "[schedules]") {
  const auto own = schedule("{type: vp}");
  const auto solved = schedule("{type: vp, sigma_min: " + number_text(own->sigmas().low) +
                               ", sigma_max: " + number_text(own->sigmas().high) + "}");
  for (const double t : sample_times(own->times())) CHECK_THAT(solved->sigma(t), WithinRel(own->sigma(t), 1e-12));
  const auto other = schedule("{type: vp, t_min: 0.01, sigma_min: 0.03, sigma_max: 50}");
  CHECK_THAT(other->sigma(0.01), WithinRel(0.03, 1e-12));
  CHECK_THAT(other->sigma(1.0), WithinRel(50.0, 1e-12));
}

TEST_CASE("ddpm passes through its table, with the rate of the interval below", "[schedules]") {
  for (const char* yaml : {"{type: ddpm, N: 4, beta_start: 0.1, beta_end: 0.4}",
                           "{type: ddpm, N: 4, beta_start: 0.1, beta_end: 0.4, interpolation: linear_log_alpha}"}) {
    const auto path = schedule(yaml);
    double alpha_bar = 1.0;
    for (int i = 1; i <= 4; ++i) {
      alpha_bar *= 0.9 - 0.1 * (i - 1);
      CHECK_THAT(path->scale(i), WithinRel(std::sqrt(alpha_bar), 1e-14));
      CHECK_THAT(path->sigma(i), WithinRel(std::sqrt((1 - alpha_bar) / alpha_bar), 1e-14));
      CHECK_THAT(path->levels()[static_cast<std::size_t>(i) - 1], WithinRel(path->sigma(i), 1e-14));
      CHECK_THAT(path->time(path->levels()[static_cast<std::size_t>(i) - 1]), WithinRel(static_cast<double>(i), 1e-14));
    }
    CHECK_THAT(path->sigma_rate(3.0), WithinRel(path->sigma_rate(3.0 - 1e-9), 1e-6));
  }
  const auto log_sigma = schedule("{type: ddpm, N: 2, beta_start: 0.1, beta_end: 0.9}");
  CHECK_THAT(log_sigma->sigma(1.5), WithinRel(std::sqrt(log_sigma->sigma(1) * log_sigma->sigma(2)), 1e-14));
  const auto log_alpha =
      schedule("{type: ddpm, N: 2, beta_start: 0.1, beta_end: 0.9, interpolation: linear_log_alpha}");
  CHECK_THAT(log_alpha->scale(1.5), WithinRel(std::sqrt(log_alpha->scale(1) * log_alpha->scale(2)), 1e-14));
}

TEST_CASE("zero terminal SNR is held at its floor", "[schedules]") {
  const auto path = schedule("{type: ddpm, betas: scaled_linear, zero_terminal_snr: true}");
  CHECK_THAT(path->sigma(1000), WithinRel(1e6, 1e-6));
  CHECK_THAT(path->scale(1), WithinRel(std::sqrt(1 - 8.5e-4), 1e-12));
}

TEST_CASE("snapped schedules know their levels only, ties to the larger", "[schedules]") {
  const auto path = snapped(schedule("{type: edm, sigma_min: 0.5, sigma_max: 10}"), {0.1, 1.0, 2.0, 4.0, 12.0});
  CHECK(path->time(0.5) == 1.0);
  CHECK(path->time(1.4) == 1.0);
  CHECK(path->time(1.5) == 2.0);
  CHECK(path->time(3.0) == 4.0);
  CHECK(path->time(7.9) == 4.0);
  CHECK(path->time(100.0) == 12.0);
  CHECK(path->snap(2.9) == 2.0);
  CHECK(path->levels() == std::vector<double>{1.0, 2.0, 4.0, 12.0});
  CHECK(path->sigma(2.5) == 2.5);
  CHECK_THROWS_AS(snapped(schedule("{type: edm}"), {1e-5, 1e-4}), Error);
}

TEST_CASE("a time outside the schedule is an error", "[schedules]") {
  for (const auto& yaml : schedule_cases()) {
    INFO(yaml);
    const auto path = schedule(yaml);
    const double below = path->times().low - std::max(1e-6, 1e-3 * path->times().low),
                 above = 1.01 * path->domain().high;
    for (const double t : {below, above, std::nan("")}) {
      CHECK_THROWS_AS(path->scale(t), Error);
      CHECK_THROWS_AS(path->sigma(t), Error);
      CHECK_THROWS_AS(path->scale_rate(t), Error);
      CHECK_THROWS_AS(path->sigma_rate(t), Error);
    }
    CHECK_THROWS_AS(path->time(0.9 * path->sigmas().low), Error);
    CHECK_THROWS_AS(path->time(-1.0), Error);
  }
}

TEST_CASE("wrong options of schedules are named", "[schedules]") {
  CHECK(has_message("{type: edm, sigma_min: 3, sigma_max: 2}", "must be greater than sigma_min = 3"));
  CHECK(has_message("{type: edmm}", "edm"));
  CHECK(has_message("{type: ve, clock: cubic}", "sqrt"));
  CHECK(has_message("{type: vp, sigma_min: 5, sigma_max: 0.1}", "no linear"));
  CHECK(has_message("{type: vp, sigma_min: 5}", "sigma_max"));
  CHECK(has_message("{type: vp, beta_max: 1e9}", "beta_max"));
  CHECK(has_message("{type: flow, t_max: 1}", "t_max"));
  CHECK(has_message("{type: ddpm, N: 10}", "beta_end"));
  CHECK(has_message("{type: ddpm, beta_start: 0.999999, beta_end: 0.9999999}", "beyond all use"));
  CHECK(has_message("{type: cosine, scale: vp}", "scale"));
}

}  // namespace edmund::testing
