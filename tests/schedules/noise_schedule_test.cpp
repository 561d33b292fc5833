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

bool has_message(const std::string& yaml, const std::string& part) {
  try {
    schedule_of(yaml);
  } catch (const Error& error) {
    INFO(error.what());
    CHECK(std::string(error.what()).find(part) != std::string::npos);
    return std::string(error.what()).find(part) != std::string::npos;
  }
  return false;
}

}  // namespace

TEST_CASE("the ranges of a schedule lie in each other", "[schedules]") {
  for (const auto& yaml : schedule_cases()) {
    INFO(yaml);
    const auto schedule = schedule_of(yaml);
    CHECK(schedule->domain().low == schedule->times().low);
    CHECK(schedule->domain().high >= schedule->times().high);
    CHECK(schedule->sigmas().low == schedule->sigma(schedule->times().low));
    CHECK(schedule->sampling_sigmas().low >= schedule->sigmas().low);
    CHECK(schedule->sampling_sigmas().low < schedule->sampling_sigmas().high);
    CHECK(schedule->sampling_sigmas().high <= schedule->sigmas().high);
  }
}

TEST_CASE("a time that misses the domain by rounding is its end", "[schedules]") {
  for (const auto& yaml : schedule_cases()) {
    INFO(yaml);
    const auto schedule = schedule_of(yaml);
    const Interval domain = schedule->domain();
    CHECK(schedule->sigma(domain.low * (1 - 1e-12) - 1e-15) == schedule->sigma(domain.low));
    CHECK(schedule->scale(domain.low * (1 - 1e-12) - 1e-15) == schedule->scale(domain.low));
    CHECK(schedule->sigma_rate(domain.high * (1 + 1e-12)) == schedule->sigma_rate(domain.high));
    CHECK(schedule->time(schedule->sigmas().low * (1 - 1e-12)) >= domain.low);
  }
}

TEST_CASE("schedules are their formulas", "[schedules]") {
  const double t = 0.37;
  CHECK(schedule_of("{type: edm}")->sigma(t) == t);
  CHECK_THAT(schedule_of("{type: ve}")->sigma(t), WithinRel(0.02 * std::pow(5000.0, t), 1e-13));
  CHECK_THAT(schedule_of("{type: ve, clock: sqrt}")->sigma(t), WithinRel(std::sqrt(t), 1e-15));
  const double B = 0.1 * t + 0.5 * 19.9 * t * t;
  CHECK_THAT(schedule_of("{type: vp}")->scale(t), WithinRel(std::exp(-B / 2), 1e-14));
  CHECK_THAT(schedule_of("{type: vp}")->sigma(t), WithinRel(std::sqrt(std::exp(B) - 1), 1e-14));
  CHECK_THAT(schedule_of("{type: sub_vp}")->scale(t) * schedule_of("{type: sub_vp}")->sigma(t),
             WithinRel(1 - std::exp(-B), 1e-14));
  CHECK_THAT(schedule_of("{type: cosine}")->scale(t), WithinRel(std::cos(std::numbers::pi * t / 2), 1e-14));
  CHECK_THAT(schedule_of("{type: flow}")->scale(t) * schedule_of("{type: flow}")->sigma(t), WithinRel(t, 1e-14));
  CHECK_THAT(schedule_of("{type: ve, scale: variance_preserving}")->scale(t),
             WithinRel(1 / std::sqrt(1 + std::pow(0.02 * std::pow(5000.0, t), 2)), 1e-13));
  CHECK(schedule_of("{type: vp, scale: unit}")->scale(t) == 1.0);
}

TEST_CASE("vp has g² = β and sub_vp g² = β (1 - exp(-2B))", "[schedules]") {
  for (const double t : sample_times({1e-3, 1.0})) {
    const double beta = 0.1 + 19.9 * t, B = 0.1 * t + 0.5 * 19.9 * t * t;
    const auto square = [t](const NoiseSchedule& schedule) {
      return 2 * std::pow(schedule.scale(t), 2) * schedule.sigma(t) * schedule.sigma_rate(t);
    };
    CHECK_THAT(square(*schedule_of("{type: vp}")), WithinRel(beta, 1e-12));
    CHECK_THAT(square(*schedule_of("{type: sub_vp}")), WithinRel(-beta * std::expm1(-2 * B), 1e-12));
  }
}

TEST_CASE("vp solves its betas from a range of sigma", "[schedules]") {
  const auto own = schedule_of("{type: vp}");
  const auto solved = schedule_of("{type: vp, sigma_min: " + number_text(own->sigmas().low) +
                                  ", sigma_max: " + number_text(own->sigmas().high) + "}");
  for (const double t : sample_times(own->times())) CHECK_THAT(solved->sigma(t), WithinRel(own->sigma(t), 1e-12));
  const auto other = schedule_of("{type: vp, t_min: 0.01, sigma_min: 0.03, sigma_max: 50}");
  CHECK_THAT(other->sigma(0.01), WithinRel(0.03, 1e-12));
  CHECK_THAT(other->sigma(1.0), WithinRel(50.0, 1e-12));
}

TEST_CASE("ddpm passes through its table, with the rate of the interval below", "[schedules]") {
  for (const char* yaml : {"{type: ddpm, N: 4, beta_start: 0.1, beta_end: 0.4}",
                           "{type: ddpm, N: 4, beta_start: 0.1, beta_end: 0.4, interpolation: linear_log_alpha}"}) {
    const auto schedule = schedule_of(yaml);
    double alpha_bar = 1.0;
    for (int i = 1; i <= 4; ++i) {
      alpha_bar *= 0.9 - 0.1 * (i - 1);
      CHECK_THAT(schedule->scale(i), WithinRel(std::sqrt(alpha_bar), 1e-14));
      CHECK_THAT(schedule->sigma(i), WithinRel(std::sqrt((1 - alpha_bar) / alpha_bar), 1e-14));
      CHECK_THAT(schedule->levels()[static_cast<std::size_t>(i) - 1], WithinRel(schedule->sigma(i), 1e-14));
      CHECK_THAT(schedule->time(schedule->levels()[static_cast<std::size_t>(i) - 1]),
                 WithinRel(static_cast<double>(i), 1e-14));
    }
    CHECK_THAT(schedule->sigma_rate(3.0), WithinRel(schedule->sigma_rate(3.0 - 1e-9), 1e-6));
  }
  const auto log_sigma = schedule_of("{type: ddpm, N: 2, beta_start: 0.1, beta_end: 0.9}");
  CHECK_THAT(log_sigma->sigma(1.5), WithinRel(std::sqrt(log_sigma->sigma(1) * log_sigma->sigma(2)), 1e-14));
  const auto log_alpha =
      schedule_of("{type: ddpm, N: 2, beta_start: 0.1, beta_end: 0.9, interpolation: linear_log_alpha}");
  CHECK_THAT(log_alpha->scale(1.5), WithinRel(std::sqrt(log_alpha->scale(1) * log_alpha->scale(2)), 1e-14));
}

TEST_CASE("zero terminal SNR is held at its floor", "[schedules]") {
  const auto schedule = schedule_of("{type: ddpm, betas: scaled_linear, zero_terminal_snr: true}");
  CHECK_THAT(schedule->sigma(1000), WithinRel(1e6, 1e-6));
  CHECK_THAT(schedule->scale(1), WithinRel(std::sqrt(1 - 8.5e-4), 1e-12));
}

TEST_CASE("snapped schedules know their levels only, ties to the larger", "[schedules]") {
  const auto schedule = snapped(schedule_of("{type: edm, sigma_min: 0.5, sigma_max: 10}"), {0.1, 1.0, 2.0, 4.0, 12.0});
  CHECK(schedule->time(0.5) == 1.0);
  CHECK(schedule->time(1.4) == 1.0);
  CHECK(schedule->time(1.5) == 2.0);
  CHECK(schedule->time(3.0) == 4.0);
  CHECK(schedule->time(7.9) == 4.0);
  CHECK(schedule->time(100.0) == 12.0);
  CHECK(schedule->snap(2.9) == 2.0);
  CHECK(schedule->levels() == std::vector<double>{1.0, 2.0, 4.0, 12.0});
  CHECK(schedule->sigma(2.5) == 2.5);
  CHECK_THROWS_AS(snapped(schedule_of("{type: edm}"), {1e-5, 1e-4}), Error);
}

TEST_CASE("a time outside the schedule is an error", "[schedules]") {
  for (const auto& yaml : schedule_cases()) {
    INFO(yaml);
    const auto schedule = schedule_of(yaml);
    const double below = schedule->times().low - std::max(1e-6, 1e-3 * schedule->times().low),
                 above = 1.01 * schedule->domain().high;
    for (const double t : {below, above, std::nan("")}) {
      CHECK_THROWS_AS(schedule->scale(t), Error);
      CHECK_THROWS_AS(schedule->sigma(t), Error);
      CHECK_THROWS_AS(schedule->scale_rate(t), Error);
      CHECK_THROWS_AS(schedule->sigma_rate(t), Error);
    }
    CHECK_THROWS_AS(schedule->time(0.9 * schedule->sigmas().low), Error);
    CHECK_THROWS_AS(schedule->time(-1.0), Error);
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
