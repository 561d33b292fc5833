#include "edmund/diffusion/noise_levels.h"

#include "edmund/core/error.h"
#include "schedules/cases.h"
#include "support/catch.h"

#include <cmath>

namespace edmund::testing {
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

NoiseLevels levels(std::string_view yaml) { return made(make_noise_levels, yaml); }

}  // namespace

TEST_CASE("normal_quantile inverts the normal distribution to 1e-15", "[schedules]") {
  for (int exponent = -300; exponent <= -1; exponent += 7) {
    for (const double digit : {1.0, 2.5, 4.999}) {
      const double u = digit * std::pow(10.0, exponent);
      const long double x = normal_quantile(u);
      // Newton's correction of x in extended precision, relative to x.
      const long double distribution = 0.5L * std::erfc(-x / std::sqrt(2.0L));
      const long double density = std::exp(-0.5L * x * x) / std::sqrt(2.0L * std::acos(-1.0L));
      INFO("u = " << u);
      CHECK(std::abs(static_cast<double>((distribution - u) / density / x)) < 1e-15);
    }
  }
  // Near the middle, where Φ^-1(1/2 + q) = √2π (q + π q³/3 + …).
  for (const double q : {0x1p-20, -0x1p-20, 0x1p-24, -0x1p-30}) {
    const double pi = std::acos(-1.0);
    CHECK_THAT(normal_quantile(0.5 + q), WithinRel(std::sqrt(2 * pi) * q * (1 + pi * q * q / 3), 1e-15));
  }
  CHECK(normal_quantile(0.5) == 0.0);
  CHECK_THAT(normal_quantile(0.975), WithinRel(1.959963984540054, 1e-15));
  for (const double u : {0x1p-3, 0x1p-5, 0x1p-10}) CHECK(normal_quantile(u) == -normal_quantile(1 - u));
}

TEST_CASE("every distribution of noise levels rises from u to u", "[schedules]") {
  for (const auto& entry : noise_levels_table()) {
    INFO(entry.name);
    const NoiseLevels sigma = levels("{type: " + std::string(entry.name) + "}");
    double previous = 0.0;
    for (double u = 0x1p-33; u < 1; u = u < 0.01 ? 1.5 * u : u + 0.003) {
      CHECK(sigma(u) > previous);
      previous = sigma(u);
    }
    CHECK(std::isfinite(sigma(1 - 0x1p-33)));
  }
}

TEST_CASE("logit-normal flow times are lognormal noise levels", "[schedules]") {
  const NoiseLevels flow = levels("{type: logit_normal, mean: 0.4, std: 1.7}"),
                    lognormal = levels("{type: lognormal, mean: 0.4, std: 1.7}");
  for (double u = 0.0005; u < 1; u += 0.001) CHECK_THAT(flow(u), WithinRel(lognormal(u), 1e-13));
}

TEST_CASE("noise levels are their quantile functions", "[schedules]") {
  CHECK_THAT(levels("{}")(0.5), WithinRel(std::exp(-1.2), 1e-15));
  CHECK_THAT(levels("{}")(0.975), WithinRel(std::exp(-1.2 + 1.2 * 1.959963984540054), 1e-14));
  CHECK_THAT(levels("{type: log_uniform}")(0.5), WithinRel(std::sqrt(0.02 * 100), 1e-14));
  const NoiseLevels vp = levels("{type: schedule, schedule: {type: vp, t_min: 1e-5}}");
  const double t = 1e-5 + 0.3 * (1 - 1e-5);
  CHECK_THAT(vp(0.3), WithinRel(std::sqrt(std::expm1(0.1 * t + 0.5 * 19.9 * t * t)), 1e-13));
  CHECK_THAT(levels("{type: schedule, schedule: flow, t_min: 0.2, t_max: 0.6}")(0.25), WithinRel(0.3 / 0.7, 1e-14));
}

TEST_CASE("stratified draws fill every stratum once, whatever the position of the batch", "[schedules]") {
  for (std::int64_t i = 0; i < 10; ++i) {
    CHECK_THAT(stratified(i, 10, 0.25), WithinAbs((static_cast<double>(i) + 0.25) / 10, 1e-16));
    CHECK(stratified(1234567890 + i, 10, 0.25) == stratified(i, 10, 0.25));
  }
  CHECK(stratified(4095, 4096, 1 - 0x1p-33) < 1.0);
  CHECK(stratified(0, 4096, 0x1p-33) > 0.0);
}

TEST_CASE("wrong options of noise levels are named", "[schedules]") {
  for (const auto& [yaml, part] :
       {std::pair{"{type: log_uniform, sigma_min: 3, sigma_max: 1}", "greater than sigma_min"},
        std::pair{"{std: -1}", "std"}, std::pair{"{type: schedule, schedule: vp, t_min: 1e-5}", "t_min"},
        std::pair{"{type: schedule, t_min: 30, t_max: 20}", "greater than t_min"}, std::pair{"{mean: x}", "mean"}}) {
    std::string message;
    try {
      levels(yaml);
    } catch (const Error& error) {
      message = error.what();
    }
    INFO(yaml << ": " << message);
    CHECK(message.find(part) != std::string::npos);
  }
}

}  // namespace edmund::testing
