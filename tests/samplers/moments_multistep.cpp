// Mean and covariance of what the stochastic multistep and predictor-corrector samplers give on Gaussian data.
#include "edmund/diffusion/noise_source.h"
#include "edmund/samplers/sampler.h"
#include "samplers/bias.h"
#include "support/catch.h"

#include <ATen/Functions.h>
#include <numeric>

namespace edmund::testing {
namespace {

// Linear in x and the draws, so that the bias is known exactly. They use s and σ at the grid times only, but for euler_maruyama.
// Every option, or one of each kind.
std::vector<std::string> linear_samplers(bool all) {
  if (!all)
    return {"{type: dpm_solver_multistep, final: none, eta: 1}",
            "{type: predictor_corrector, final: none, corrector: none}",
            "{type: predictor_corrector, final: none, corrector: none, predictor: euler_maruyama}"};
  std::vector<std::string> out;
  for (const char* algorithm : {"plusplus", "plain"})
    for (const char* order : {"1", "2", "2, variant: heun", "3", "3, variant: exact"})
      for (const char* eta : {"0.5", "1"})
        out.push_back(std::string("{type: dpm_solver_multistep, final: none, algorithm: ") + algorithm +
                      ", order: " + order + ", eta: " + eta + "}");
  for (const char* predictor : {"reverse_diffusion", "ancestral", "ancestral, variance: beta", "euler_maruyama"})
    out.push_back(std::string("{type: predictor_corrector, final: none, corrector: none, predictor: ") + predictor +
                  "}");
  return out;
}

}  // namespace

TEST_CASE("stochastic multistep samplers and predictors converge to mean and variance on every schedule",
          "[samplers]") {
  for (const auto& yaml : schedule_cases()) {
    const auto path = schedule(yaml);
    for (const auto& sampler : linear_samplers(yaml.find("scale: own") != std::string::npos)) {
      const bool rates_of_table = !path->levels().empty() && sampler.find("euler_maruyama") != std::string::npos;
      if (rates_of_table && path->levels().size() < 1000) continue;  // one-sided at the entries, see moments.cpp
      INFO(sampler << " on " << yaml);
      const Bias coarse = bias(sampler, *path, 80), fine = bias(sampler, *path, 160);
      INFO("variance off by " << coarse.variance << ", " << fine.variance << "; mean by " << coarse.mean << ", "
                              << fine.mean);
      CHECK(fine.variance < 0.05);
      CHECK(fine.mean < 0.01);
      if (!rates_of_table) CHECK(fine.variance < 0.65 * coarse.variance + 1e-9);
    }
  }
}

TEST_CASE("Langevin steps leave the distribution at a time as it is", "[samplers]") {
  // Steps of ratio r have a stationary variance that is off by r²·(share of the noise in it) < r² = 0.0025, and norms of one image of d
  // pixels, which depend on its noise, by some 2/d: together below 5 standard errors. Half the noise would show as a third.
  constexpr std::int64_t n = 64, d = 256, steps = 100;
  const Gaussian data;
  std::vector<std::int64_t> images(n);
  std::iota(images.begin(), images.end(), 0);
  for (const auto& entry : schedule_table()) {
    const auto path = schedule("{type: " + std::string(entry.name) + "}");
    std::vector<std::string> correctors{"langevin"};
    if (entry.name == "vp") correctors = {"langevin", "langevin, norms: batch", "ald"};
    for (const auto& corrector : correctors) {
      INFO(corrector << " on " << entry.name);
      const double t = path->time(1.0), u = path->time(0.99), s = path->scale(t);
      PhiloxNoise noise(7, images, at::kDouble, at::kCPU);
      const double spread = std::sqrt(data.variance(1.0));
      const Tensor x = s * (data.mean + spread * noise.normal({1, 16, 16}));
      const Tensor out =
          made(make_sampler, "{type: predictor_corrector, predictor: none, final: none, snr: 0.05, corrector_steps: " +
                                 std::to_string(steps) + ", corrector: " + corrector +
                                 "}")(data.denoiser(), *path, {{t, u}}, x, noise);
      const Tensor standard = (out / s - data.mean) / spread;
      CHECK_FALSE(at::allclose(out, x, 0.1, 0.1));  // it moved
      CHECK(std::abs(standard.mean().item<double>()) <= 5 / std::sqrt(n * d));
      CHECK(std::abs(standard.square().mean().item<double>() - 1) <= 5 * std::sqrt(2.0 / (n * d)));
    }
  }
}

TEST_CASE("Langevin corrections keep mean and covariance within 5 standard errors", "[samplers]") {
  // Independent pixels of many widths. At snr 0.05 what the steps are off by, see above, is little beside 5 standard errors.
  constexpr std::int64_t n = 1024, pixels = 16;
  const Tensor mean = at::linspace(-0.8, 0.8, pixels, at::kDouble),
               variance = at::linspace(0.1, 0.4, pixels, at::kDouble);
  const Denoiser D = [&](const Tensor& z, double sigma) {
    return (mean + variance / (variance + sigma * sigma) * (z.flatten(1) - mean)).view(z.sizes());
  };
  std::vector<std::int64_t> images(n);
  std::iota(images.begin(), images.end(), 0);
  for (const auto& entry : schedule_table()) {
    const auto path = schedule("{type: " + std::string(entry.name) + "}");
    std::vector<std::string> cases{"corrector: langevin"};
    if (entry.name == "vp")
      for (const char* more : {"norms: batch", "corrector: ald, predictor: euler_maruyama",
                               "predictor: ancestral, corrector_steps: 2", "probability_flow: true"})
        cases.emplace_back(more);
    for (const auto& options : cases) {
      INFO(options << " on " << entry.name);
      const double low = std::max(path->sigmas().low, 0.02);
      const TimeGrid grid =
          made(make_grid, "{type: log_snr, steps: 150, sigma_max: 40, sigma_min: " + number_text(low) + "}", *path,
               Interval{0.0, 1e300});
      PhiloxNoise noise(7, images, at::kDouble, at::kCPU);
      const Tensor x = initial_state(*path, grid, noise, {1, 4, 4});
      const Tensor out = made(make_sampler, std::string("{type: predictor_corrector, snr: 0.05, ") + options + "}")(
                             D, *path, grid, x, noise)
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

}  // namespace edmund::testing
