// Mean and covariance of what Langevin steps give on Gaussian data.
#include "edmund/diffusion/noise_source.h"
#include "edmund/samplers/sampler.h"
#include "samplers/gaussian.h"
#include "support/catch.h"

#include <ATen/Functions.h>
#include <cmath>
#include <numeric>

namespace edmund::testing {
using Catch::Matchers::WithinRel;

TEST_CASE("Langevin steps leave the distribution at a time as it is", "[samplers]") {
  // Steps of ratio r have a stationary variance that is off by r²·(share of the noise in it) < r² =
  // 0.0025, and norms of one image of d pixels, which depend on its noise, by some 2/d: together
  // below 5 standard errors. Half the noise would show as a third.
  constexpr std::int64_t n = 64, d = 256, steps = 100;
  const Gaussian data;
  std::vector<std::int64_t> images(n);
  std::iota(images.begin(), images.end(), 0);
  for (const auto& entry : schedule_table()) {
    const auto schedule = schedule_of("{type: " + example_of(entry) + "}");
    std::vector<std::string> correctors{"langevin"};
    if (entry.name == "vp") correctors = {"langevin", "langevin, norms: batch", "ald"};
    for (const auto& corrector : correctors) {
      INFO(corrector << " on " << entry.name);
      const double t = schedule->time(1.0), u = schedule->time(0.99), s = schedule->scale(t);
      PhiloxNoise noise(7, images, at::kDouble, at::kCPU);
      const double spread = std::sqrt(data.variance(1.0));
      const Tensor x = s * (data.mean + spread * noise.normal({1, 16, 16}));
      const Tensor out =
          made(make_sampler, "{type: predictor_corrector, predictor: none, final: none, snr: 0.05, corrector_steps: " +
                                 std::to_string(steps) + ", corrector: " + corrector +
                                 "}")(data.denoiser(), *schedule, {{t, u}}, x, noise);
      const Tensor standard = (out / s - data.mean) / spread;
      CHECK_FALSE(at::allclose(out, x, 0.1, 0.1));  // it moved
      CHECK(std::abs(standard.mean().item<double>()) <= 5 / std::sqrt(n * d));
      CHECK(std::abs(standard.square().mean().item<double>() - 1) <= 5 * std::sqrt(2.0 / (n * d)));
    }
  }
}

TEST_CASE("Langevin corrections keep mean and covariance within 5 standard errors", "[samplers]") {
  // Independent pixels of many widths. At snr 0.05 and 64 pixels what the steps are off by, see
  // above, is little beside 5 standard errors.
  constexpr std::int64_t n = 1024, pixels = 64;
  const Tensor mean = at::linspace(-0.8, 0.8, pixels, at::kDouble),
               variance = at::linspace(0.1, 0.4, pixels, at::kDouble);
  const Denoiser D = [&](const Tensor& z, double sigma) {
    return (mean + variance / (variance + sigma * sigma) * (z.flatten(1) - mean)).view(z.sizes());
  };
  std::vector<std::int64_t> images(n);
  std::iota(images.begin(), images.end(), 0);
  for (const auto& entry : schedule_table()) {
    const auto schedule = schedule_of("{type: " + example_of(entry) + "}");
    // Not with probability_flow: its Euler steps let the variance grow faster than so small
    // Langevin steps take it back.
    std::vector<std::string> cases{"corrector: langevin"};
    if (entry.name == "vp")
      for (const char* more :
           {"norms: batch", "corrector: ald, predictor: euler_maruyama", "predictor: ancestral, corrector_steps: 2"})
        cases.emplace_back(more);
    for (const auto& options : cases) {
      INFO(options << " on " << entry.name);
      const double low = std::max(schedule->sigmas().low, 0.02);
      const TimeGrid grid =
          made(make_grid, "{type: log_snr, steps: 150, sigma_max: 40, sigma_min: " + number_text(low) + "}", *schedule,
               Interval{0.0, 1e300});
      PhiloxNoise noise(7, images, at::kDouble, at::kCPU);
      const Tensor x = initial_state(*schedule, grid, noise, {1, 8, 8});
      const Tensor out = made(make_sampler, std::string("{type: predictor_corrector, snr: 0.05, ") + options + "}")(
                             D, *schedule, grid, x, noise)
                             .flatten(1);
      const Tensor found_mean = out.mean(0), centered = out - found_mean,
                   found = at::matmul(centered.t(), centered) / (n - 1);
      const Tensor covariance = at::diag(variance);
      const Tensor covariance_error =
          ((variance.unsqueeze(0) * variance.unsqueeze(1) + covariance.square()) / n).sqrt();
      INFO("mean off by " << ((found_mean - mean).abs() / (variance / n).sqrt()).max() << ", covariance by "
                          << ((found - covariance).abs() / covariance_error).max() << " standard errors");
      CHECK(((found_mean - mean).abs() <= 5 * (variance / n).sqrt()).all().item<bool>());
      CHECK(((found - covariance).abs() <= 5 * covariance_error).all().item<bool>());
    }
  }
}

TEST_CASE("ald is measured by the process or by the SDE that a table discretizes, as asked", "[samplers]") {
  // From x = 0 with a score of 0 one step is √(2ε)·n, ε = 2α·(snr·std)².
  const auto schedule = schedule_of("{type: ddpm, N: 25, beta_start: 0.004, beta_end: 0.8}");
  const Denoiser D = [](const Tensor& z, double) { return z; };
  const auto step = [&](const std::string& options, double t) {
    PhiloxNoise noise(3, {0}, at::kDouble, at::kCPU), same(3, {0}, at::kDouble, at::kCPU);
    const Tensor x = at::zeros({1, 1, 2, 2}, at::kDouble);
    const Tensor out =
        made(make_sampler, "{type: predictor_corrector, predictor: none, final: none, corrector: ald, snr: 0.1" +
                               options + "}")(D, *schedule, {{t, t - 1}}, x, noise);
    return (out / same.normal({1, 2, 2})).mean().item<double>();
  };
  for (const double t : {2.0, 13.0, 25.0}) {
    const double alpha = std::pow(schedule->scale(t) / schedule->scale(t - 1), 2);
    const double u = 1e-3 + (1 - 1e-3) * (t - 1) / 24, std = std::sqrt(-std::expm1(-(0.1 * u + 9.95 * u * u)));
    CHECK_THAT(step("", t), WithinRel(2 * std::sqrt(alpha) * 0.1 * schedule->scale(t) * schedule->sigma(t), 1e-12));
    CHECK_THAT(step(", spread: sde", t), WithinRel(2 * std::sqrt(alpha) * 0.1 * std, 1e-9));
  }
  const auto refused = [&](const char* yaml) {
    PhiloxNoise noise(3, {0}, at::kDouble, at::kCPU);
    const auto other = schedule_of(yaml);
    const Interval times = other->times();
    CHECK_THROWS_WITH(made(make_sampler, "{type: predictor_corrector, corrector: ald, spread: sde}")(
                          D, *other, {{times.high}}, at::zeros({1, 1, 2, 2}, at::kDouble), noise),
                      Catch::Matchers::ContainsSubstring("linear betas"));
  };
  refused("{type: vp}");
  refused("{type: ddpm, betas: cosine}");
}

}  // namespace edmund::testing
