// Samplers that choose their own steps: accuracy, order of work, independence of the batch, what
// they refuse.
#include "edmund/core/error.h"
#include "edmund/samplers/sampler.h"
#include "samplers/gaussian.h"
#include "samplers/noise.h"
#include "support/catch.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <limits>

namespace edmund::testing {
namespace {

TimeGrid ends(const NoiseSchedule& schedule) {
  const TimeGrid all = smooth_grid(schedule, 1);
  return {{all.t.front(), all.t.back()}};
}

// Evaluations and the greatest error in z at the end, from starts up to 3 standard deviations from
// the mean.
struct Outcome {
  double error;
  std::int64_t evaluations;
};
Outcome outcome(std::string_view sampler, const NoiseSchedule& schedule) {
  const Gaussian data;
  const TimeGrid grid = ends(schedule);
  const double t = grid.t.front(), u = grid.t.back(), sigma = schedule.sigma(t);
  const Tensor start =
      data.mean + std::sqrt(data.variance(sigma)) * at::linspace(-3, 3, 5, at::kDouble).view({5, 1, 1, 1});
  const auto count = std::make_shared<std::int64_t>(0);
  NoNoise noise;
  const Tensor z =
      made(make_sampler, sampler)(counted(data.denoiser(), count), schedule, grid, schedule.scale(t) * start, noise) /
      schedule.scale(u);
  double error = 0.0;
  for (std::int64_t i = 0; i < start.numel(); ++i)
    error = std::max(
        error, std::abs(z[i].item<double>() - data.transported(start[i].item<double>(), sigma, schedule.sigma(u))));
  return {error, *count};
}

}  // namespace

TEST_CASE("rk45 is as accurate as its tolerance asks on every schedule", "[samplers]") {
  for (const auto& yaml : schedule_cases()) {
    const auto schedule = schedule_of(yaml);
    INFO(yaml);
    double last = std::numeric_limits<double>::infinity();
    for (const double tolerance : {1e-3, 1e-6, 1e-9}) {
      const std::string value = number_text(tolerance);
      const Outcome found = outcome("{type: rk45, final: none, rtol: " + value + ", atol: " + value + "}", *schedule);
      INFO(tolerance << ": error " << found.error << " with " << found.evaluations << " evaluations");
      // Steps add up: some tens of them, each off by its tolerance at most, while the ODE
      // contracts.
      CHECK(found.error < 10 * tolerance);
      CHECK(found.error < last);
      last = found.error;
    }
  }
}

TEST_CASE("rk45 takes as many steps as a method of order 5 needs", "[samplers]") {
  const auto schedule = schedule_of("{type: edm}");
  const auto evaluations = [&](double tolerance) {
    const std::string value = number_text(tolerance);
    return static_cast<double>(
        outcome("{type: rk45, final: none, rtol: " + value + ", atol: " + value + "}", *schedule).evaluations);
  };
  // 10⁵ times the accuracy is 10 times the steps at order 5 (the error of a step is of order 5 in
  // the embedded pair), 20 at order 4; halving gives or takes a factor of 2.
  const double ratio = evaluations(1e-11) / evaluations(1e-6);
  CHECK(ratio > 5);
  CHECK(ratio < 18);
}

TEST_CASE("an image that needs small steps leaves the others of its batch alone", "[samplers]") {
  const auto schedule = schedule_of("{type: edm}");
  const TimeGrid grid{{20.0, 0.05}};
  // The first image's data are a narrow peak beside a wide one, those of the others are wide.
  const Denoiser D = [](const Tensor& z, double sigma) {
    const double v = sigma * sigma;
    const Tensor narrow = at::tanh(z / (1e-3 + v)), wide = (1 / (1 + v)) * z;
    return z.size(0) == 1 ? wide : at::cat({narrow.narrow(0, 0, 1), wide.narrow(0, 1, z.size(0) - 1)});
  };
  NoNoise noise;
  const Tensor x = 20 * at::linspace(-1, 1, 4 * 6, at::kDouble).view({4, 1, 2, 3});
  const auto alone = std::make_shared<std::int64_t>(0), together = std::make_shared<std::int64_t>(0);
  for (const char* sampler : {"{type: rk45}", "{type: dpm_adaptive}"}) {
    INFO(sampler);
    const Tensor all = made(make_sampler, sampler)(counted(D, together), *schedule, grid, x, noise);
    const Tensor one = made(make_sampler, sampler)(counted(D, alone), *schedule, grid, x.narrow(0, 2, 1), noise);
    CHECK(at::equal(one[0], all[2]));
    CHECK(*together > *alone);
  }
}

TEST_CASE("dpm_adaptive comes nearer with its tolerance", "[samplers]") {
  const auto schedule = schedule_of("{type: vp}");
  for (const char* order : {"2", "3"}) {
    INFO("order " << order);
    const auto at = [&](const std::string& rtol, const std::string& atol) {
      return outcome("{type: dpm_adaptive, final: none, order: " + std::string(order) + ", rtol: " + rtol +
                         ", atol: " + atol + "}",
                     *schedule);
    };
    const Outcome coarse = at("0.05", "0.0078"), fine = at("0.0005", "0.000078");
    INFO(coarse.error << " and " << fine.error);
    // z is at most 1.8 at the end, and the errors of a few steps add up.
    CHECK(coarse.error < 4 * 0.05 * 1.8);
    CHECK(fine.error < 4 * 0.0005 * 1.8);
    CHECK(fine.error < coarse.error / 10);
    CHECK(fine.evaluations > coarse.evaluations);
  }
}

TEST_CASE("adaptive samplers say so when they cannot go on", "[samplers]") {
  const auto schedule = schedule_of("{type: edm}");
  const Denoiser broken = [](const Tensor& z, double sigma) {
    return sigma < 1 ? at::full_like(z, std::numeric_limits<double>::quiet_NaN()) : z;
  };
  NoNoise noise;
  for (const char* sampler : {"{type: rk45}", "{type: dpm_adaptive}", "{type: dpm_adaptive, error: batch}"})
    CHECK_THROWS_AS(
        made(make_sampler, sampler)(broken, *schedule, {{10.0, 0.1}}, at::ones({2, 1, 1, 1}, at::kDouble), noise),
        Error);
}

}  // namespace edmund::testing
