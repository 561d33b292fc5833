// Mean and covariance of what the stochastic samplers give on Gaussian data.
#include "edmund/diffusion/noise_source.h"
#include "edmund/samplers/sampler.h"
#include "samplers/bias.h"
#include "support/catch.h"

#include <ATen/Functions.h>
#include <numeric>

namespace edmund::testing {
namespace {

const char* const kStochastic[] = {"{type: ddim, eta: 0.5, final: none}",
                                   "{type: ddim, eta: 1, final: none}",
                                   "{type: ancestral, final: none}",
                                   "{type: ancestral, variance: beta, final: none}",
                                   "{type: reverse_sde, lambda: 0.5, final: none}",
                                   "{type: reverse_sde, final: none}",
                                   "{type: heun, S_churn: 20, S_max: 10, final: none}",
                                   "{type: euler, S_churn: 20, S_max: 10, final: none}"};

}  // namespace

TEST_CASE("stochastic samplers converge to the mean and variance of Gaussian data on every schedule", "[samplers]") {
  for (const auto& yaml : schedule_cases()) {
    const auto path = schedule(yaml);
    // Rates of a table are one-sided at its entries: what uses them is off by a part of an interval, however small the steps.
    const bool table = !path->levels().empty();
    for (const std::string sampler : kStochastic) {
      const bool by_rates = sampler.find("ddim") == std::string::npos && sampler.find("ancestral") == std::string::npos;
      if (table && by_rates && path->levels().size() < 1000) continue;
      INFO(sampler << " on " << yaml);
      const Bias coarse = bias(sampler, *path, 60), fine = bias(sampler, *path, 120);
      INFO("variance off by " << coarse.variance << ", " << fine.variance << "; mean by " << coarse.mean << ", "
                              << fine.mean);
      CHECK(fine.variance < 0.05);
      CHECK(fine.mean < 0.01);
      if (!(table && by_rates)) CHECK(fine.variance < 0.65 * coarse.variance + 1e-9);
    }
  }
}

TEST_CASE("samples of correlated Gaussian data have its mean and covariance within 5 standard errors", "[samplers]") {
  constexpr std::int64_t n = 8192;
  const Tensor mean = at::tensor({0.3, -0.6}, at::kDouble),
               covariance = at::tensor({0.30, 0.12, 0.12, 0.20}, at::kDouble).view({2, 2});
  const Tensor unit = at::eye(2, at::kDouble);
  // D(z; σ) = mean + Σ(Σ + σ²)⁻¹(z - mean)
  const Denoiser D = [&](const Tensor& z, double sigma) {
    const Tensor gain = at::matmul(covariance, at::inverse(covariance + sigma * sigma * unit));
    return (at::matmul(z.flatten(1) - mean, gain.t()) + mean).view(z.sizes());
  };
  std::vector<std::int64_t> images(n);
  std::iota(images.begin(), images.end(), 0);
  for (const auto& entry : schedule_table()) {
    const auto path = schedule("{type: " + std::string(entry.name) + "}");
    for (const char* sampler : {"{type: ddim, eta: 1}", "{type: ancestral, variance: beta}", "{type: reverse_sde}",
                                "{type: heun, S_churn: 30}"}) {
      INFO(sampler << " on " << entry.name);
      const double low = std::max(path->sigmas().low, 0.02);
      const TimeGrid grid =
          made(make_grid, "{type: log_snr, steps: 100, sigma_max: 40, sigma_min: " + number_text(low) + "}", *path,
               Interval{0.0, 1e300});
      PhiloxNoise noise(11, images, at::kDouble, at::kCPU);
      const Tensor x = initial_state(*path, grid, noise, {1, 1, 2});
      const Tensor out = made(make_sampler, sampler)(D, *path, grid, x, noise).flatten(1);
      const Tensor found_mean = out.mean(0), centered = out - found_mean,
                   found = at::matmul(centered.t(), centered) / (n - 1);
      const Tensor variances = covariance.diagonal();
      const Tensor mean_error = (variances / n).sqrt();
      const Tensor covariance_error =
          ((variances.unsqueeze(0) * variances.unsqueeze(1) + covariance.square()) / n).sqrt();
      INFO("mean " << found_mean << " covariance " << found);
      CHECK(((found_mean - mean).abs() <= 5 * mean_error).all().item<bool>());
      CHECK(((found - covariance).abs() <= 5 * covariance_error).all().item<bool>());
    }
  }
}

}  // namespace edmund::testing
