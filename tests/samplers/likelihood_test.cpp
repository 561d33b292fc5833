#include "edmund/samplers/likelihood.h"

#include "edmund/core/error.h"
#include "samplers/correlated.h"
#include "samplers/gaussian.h"
#include "samplers/noise.h"
#include "support/catch.h"
#include "support/mixture.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <c10/core/InferenceMode.h>
#include <cmath>
#include <numeric>

namespace edmund::testing {
using Catch::Matchers::WithinAbs;

namespace {

// Little bias at the low end, little of the data left at the high end.
std::vector<std::string> wide_schedules() { return schedules_that_span({1e-3, 1e4}); }

TimeGrid ends(const NoiseSchedule& schedule) { return {{schedule.time(1e4), schedule.time(1e-3)}}; }

std::vector<std::int64_t> numbers(std::int64_t B) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(B));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

Tensor images(const Correlated& data, std::int64_t B) {
  PhiloxNoise noise(7, numbers(B), at::kDouble, at::kCPU);
  return data.images(noise.normal({1, 1, data.mean.numel()}));
}

constexpr Tolerance kTight{.relative = 1e-8, .absolute = 1e-8};

Likelihood exact(const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, const Tensor& x) {
  NoNoise none;
  return log_likelihood(D, schedule, grid, x, none, {.trace = Trace::kExact, .adaptive = kTight});
}

}  // namespace

TEST_CASE("bits a dimension of a Gaussian are the closed form on every schedule", "[samplers]") {
  const Correlated data = Correlated::made(12);
  const Tensor x = images(data, 6), truth = bits_per_dimension(data.log_density(x, 0.0), 12, 0.0);
  for (const auto& yaml : wide_schedules()) {
    const auto schedule = schedule_of(yaml);
    const Likelihood found = exact(data.denoiser(), *schedule, ends(*schedule), x);
    const Tensor error = (bits_per_dimension(found.log_density, 12, 0.0) - truth).abs();
    INFO(yaml << ": error " << error.max().item<double>() << ", evaluations " << found.evaluations);
    CHECK(error.max().item<double>() < 1e-4);
    CHECK(found.probe_error.abs().max().item<double>() == 0.0);
    CHECK(found.gradients == 12);
  }
}

TEST_CASE("Hutchinson's estimate lies within its own error bar, which is no wider than it must be", "[samplers]") {
  const Correlated data = Correlated::made(12);
  const std::int64_t B = 64;
  const Tensor x = images(data, B);
  const auto schedule = schedule_of(wide_schedules()[0]);
  const Tensor truth = exact(data.denoiser(), *schedule, ends(*schedule), x).log_density;
  for (const Trace trace : {Trace::kRademacher, Trace::kGaussian}) {
    PhiloxNoise probes(3, numbers(B), at::kDouble, at::kCPU, Stream::kProbe);
    const Likelihood found = log_likelihood(data.denoiser(), *schedule, ends(*schedule), x, probes,
                                            {.trace = trace, .probes = 32, .adaptive = Tolerance{}});
    const Tensor z = (found.log_density - truth) / found.probe_error;
    INFO("z: mean " << z.mean().item<double>() << ", rms " << z.square().mean().sqrt().item<double>());
    CHECK(z.abs().max().item<double>() < 5);
    // Independent images: the root mean square of 64 Student variables of 31 degrees of freedom is
    // 1.03 ± 0.09.
    CHECK_THAT(z.square().mean().sqrt().item<double>(), WithinAbs(1.03, 5 * 0.09));
    const double bar = found.probe_error.square().sum().sqrt().item<double>() / B;
    CHECK(std::abs((found.log_density - truth).mean().item<double>()) < 3 * bar);
    CHECK(found.gradients == 32);
  }
}

TEST_CASE("one probe has no error bar, and a probe is fixed for the whole solve", "[samplers]") {
  const Correlated data = Correlated::made(4);
  const auto schedule = schedule_of("{type: edm}");
  const TimeGrid grid{{80.0, 0.002}};
  const Tensor x = images(data, 2);
  PhiloxNoise probes(3, {0, 1}, at::kDouble, at::kCPU, Stream::kProbe);
  const Likelihood found = log_likelihood(data.denoiser(), *schedule, grid, x, probes, {.adaptive = Tolerance{}});
  CHECK(found.probe_error.isnan().all().item<bool>());
  PhiloxNoise again(3, {0, 1}, at::kDouble, at::kCPU, Stream::kProbe);
  // a second draw would be an error
  ReplayedNoise stored(again.normal(x.sizes().slice(1)).unsqueeze(0));
  CHECK(log_likelihood(data.denoiser(), *schedule, grid, x, stored, {.adaptive = Tolerance{}})
            .log_density.equal(found.log_density));
}

TEST_CASE("Heun steps on a grid converge at order 2 to the adaptive value", "[samplers]") {
  const Correlated data = Correlated::made(3);
  const Tensor x = images(data, 2);
  for (const char* yaml : {"{type: edm}", "{type: flow}", "{type: vp}"}) {
    const auto schedule = schedule_of(yaml);
    const auto error = [&](int N) {
      const TimeGrid grid = smooth_grid(*schedule, N);
      NoNoise none;
      const Likelihood fixed = log_likelihood(data.denoiser(), *schedule, grid, x, none, {.trace = Trace::kExact});
      CHECK(fixed.evaluations == 2 * N);
      const Likelihood solved =
          log_likelihood(data.denoiser(), *schedule, grid, x, none,
                         {.trace = Trace::kExact, .adaptive = Tolerance{.relative = 1e-11, .absolute = 1e-11}});
      return (fixed.log_density - solved.log_density).abs().max().item<double>();
    };
    const double order = std::log2(error(128) / error(256));
    INFO(yaml);
    CHECK_THAT(order, WithinAbs(2.0, 0.1));
  }
}

TEST_CASE("a mixture's density is found where it is far from Gaussian", "[samplers]") {
  const Mixture mixture{at::tensor({-1.0, 0.0, 1.0, 0.5}, at::kDouble).reshape({2, 2}),
                        at::tensor({0.3, 0.6}, at::kDouble), at::tensor({0.4, 0.6}, at::kDouble)};
  const Tensor x = (at::arange(8, at::kDouble).cos() * 1.2).reshape({4, 1, 1, 2});
  for (const auto& yaml : wide_schedules()) {
    const auto schedule = schedule_of(yaml);
    const TimeGrid grid = ends(*schedule);
    const Likelihood found = exact(mixture.denoiser(), *schedule, grid, x);
    // With the true density of the latent in place of the prior only the solver's error is left.
    const double t = grid.t.front(), s = schedule->scale(t), sigma = schedule->sigma(t);
    const Tensor prior = Mixture::gaussian(0, s * sigma, 2).log_density(found.latent, 0.0),
                 true_prior = mixture.log_density(found.latent / s, sigma) - 2 * std::log(s);
    INFO(yaml);
    CHECK((found.log_density - prior + true_prior - mixture.log_density(x, 1e-3)).abs().max().item<double>() < 1e-6);
  }
}

TEST_CASE("dequantized values stay in their level and depend on seed and image number alone", "[samplers]") {
  const Tensor levels = at::arange(256, at::kLong).to(at::kByte).reshape({1, 1, 16, 16}).expand({3, 1, 16, 16}).clone();
  const Tensor x = dequantized(levels, 5, std::vector<std::int64_t>{4, 9, 2});
  CHECK(((x + 1) * 128).floor().to(at::kByte).equal(levels));
  CHECK(dequantized(levels.narrow(0, 1, 1), 5, std::vector<std::int64_t>{9}).equal(x.narrow(0, 1, 1)));
  CHECK(!dequantized(levels, 6, std::vector<std::int64_t>{4, 9, 2}).equal(x));
  // uniform: mean 1/2, variance 1/12 of 768 values
  const Tensor u = (x + 1) * 128 - levels.to(at::kDouble);
  CHECK_THAT(u.mean().item<double>(), WithinAbs(0.5, 5 * std::sqrt(1.0 / 12 / 768)));
  CHECK_THAT(u.var().item<double>(), WithinAbs(1.0 / 12, 5 * std::sqrt(1.0 / 180 / 768)));
  // Values that are uniform on [-1, 1] take all of the 8 bits.
  CHECK_THAT(bits_per_dimension(at::full({1}, -3 * std::log(2.0), at::kDouble), 3, kLevelBits).item<double>(),
             WithinAbs(8.0, 1e-12));
}

TEST_CASE("likelihoods are refused in inference mode and without probes", "[samplers]") {
  const Correlated data = Correlated::made(2);
  const auto schedule = schedule_of("{type: edm}");
  const Tensor x = images(data, 1);
  NoNoise none;
  const auto run = [&](const LikelihoodSettings& settings) {
    return log_likelihood(data.denoiser(), *schedule, {{80.0, 0.002}}, x, none, settings);
  };
  CHECK_THROWS_AS(run({.probes = 0}), Error);
  const c10::InferenceMode inference;
  CHECK_THROWS_AS(run({.trace = Trace::kExact}), Error);
}

}  // namespace edmund::testing
