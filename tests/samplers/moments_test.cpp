// Mean and covariance of what the stochastic samplers give on Gaussian data.
#include "edmund/diffusion/noise_source.h"
#include "edmund/samplers/sampler.h"
#include "samplers/bias.h"
#include "samplers/cases.h"
#include "support/catch.h"
#include "support/kernels.h"

#include <ATen/Functions.h>
#include <numeric>

namespace edmund::testing {
namespace {

// Options that make a sampler draw, or draw otherwise, beside the rows that state it.
const char* const kVariants[] = {"{type: ddim, eta: 0.5, final: none}",
                                 "{type: ddim, eta: 1, final: none}",
                                 "{type: ancestral, variance: beta, final: none}",
                                 "{type: reverse_sde, lambda: 0.5, final: none}",
                                 "{type: heun, S_churn: 5, S_max: 10, final: none}",
                                 "{type: euler, S_churn: 5, S_max: 10, final: none}",
                                 "{type: dpm_2, S_churn: 5, S_max: 10, final: none}",
                                 "{type: dpm_solver, eta: 1, final: none}",
                                 "{type: dpmpp_2s, eta: 1, final: none}",
                                 "{type: dpmpp_sde, draws: brownian, r: 0.7, final: none}",
                                 "{type: dpmpp_2m_sde, variant: heun, eta: 0.5, final: none}",
                                 "{type: dpmpp_3m_sde, variant: exact, final: none}",
                                 "{type: dpm_solver_multistep, eta: 1, final: none}",
                                 "{type: dpm_solver_multistep, algorithm: plain, eta: 1, final: none}",
                                 "{type: dpm_solver_multistep, algorithm: plain, order: 3, eta: 0.5, final: none}",
                                 "{type: predictor_corrector, corrector: none, predictor: ancestral, final: none}"};

std::vector<std::string> stochastic() {
  std::vector<std::string> out(std::begin(kVariants), std::end(kVariants));
  for (const auto& row : sampler_table())
    if (row.order == SamplerEntry::kStochastic) out.push_back(stated(row));
  return out;
}

void check_moments(std::string_view sampler, const NoiseSchedule& schedule) {
  // Rates of a table are one-sided at its entries: what uses them is off by a part of an interval,
  // however small the steps.
  const bool between_entries = !schedule.levels().empty() && uses_clock(sampler, schedule);
  if (between_entries && schedule.levels().size() < 1000) return;
  const Bias coarse = bias(sampler, schedule, 120), fine = bias(sampler, schedule, 240);
  INFO("variance off by " << coarse.variance << ", " << fine.variance << "; mean by " << coarse.mean << ", "
                          << fine.mean);
  CHECK(fine.mean < 0.01);
  if (between_entries) {
    CHECK(std::abs(fine.variance) < 0.06);
    return;
  }
  CHECK(std::abs(fine.variance) < 0.65 * std::abs(coarse.variance) + 1e-9);
  // Where it goes as the steps go to 0, if its error is of order 1; what is of order 2 is below
  // that here.
  CHECK(std::abs(2 * fine.variance - coarse.variance) < 0.01);
}

}  // namespace

TEST_CASE("stochastic samplers converge to the mean and variance of Gaussian data on every schedule", "[samplers]") {
  const UseKernels fast(ops::Kernels::kFast);  // as in use, and several times as fast here
  for (const auto& yaml : schedule_cases()) {
    const auto schedule = schedule_of(yaml);
    for (const auto& sampler : stochastic()) {
      INFO(sampler << " on " << yaml);
      check_moments(sampler, *schedule);
    }
  }
}

TEST_CASE("rows of stochastic samplers draw, the others do not", "[samplers]") {
  const auto schedule = schedule_of("{type: edm}");
  for (const auto& row : sampler_table()) {
    INFO(row.name);
    CountedDraws noise;
    made(make_sampler, stated(row))(Gaussian{}.denoiser(), *schedule, smooth_grid(*schedule, 4),
                                    at::ones({1, 1, 1, 1}, at::kDouble), noise);
    CHECK((noise.draws() > 0) == (row.order == SamplerEntry::kStochastic));
  }
}

TEST_CASE("samples of correlated Gaussian data have its mean and covariance within 5 standard errors", "[samplers]") {
  constexpr std::int64_t n = 2048;
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
    const auto schedule = schedule_of("{type: " + example_of(entry) + "}");
    // As many steps as keep the error of the method below that of the estimate: fewer at order 2.
    for (const auto& [sampler, steps] :
         {std::pair{"{type: ddim, eta: 1}", 120}, std::pair{"{type: ancestral, variance: beta}", 120},
          std::pair{"{type: reverse_sde}", 120}, std::pair{"{type: heun, S_churn: 30}", 120},
          std::pair{"{type: dpm_2_ancestral}", 60}, std::pair{"{type: dpmpp_2s, eta: 1}", 60},
          std::pair{"{type: dpmpp_sde}", 120}, std::pair{"{type: dpmpp_2m_sde}", 40},
          std::pair{"{type: dpmpp_3m_sde}", 40}}) {
      INFO(sampler << " on " << entry.name);
      const double low = std::max(schedule->sigmas().low, 0.02);
      const TimeGrid grid = made(
          make_grid,
          "{type: log_snr, steps: " + std::to_string(steps) + ", sigma_max: 40, sigma_min: " + number_text(low) + "}",
          *schedule, Interval{0.0, 1e300});
      PhiloxNoise noise(11, images, at::kDouble, at::kCPU);
      const Tensor x = initial_state(*schedule, grid, noise, {1, 1, 2});
      const Tensor out = made(make_sampler, sampler)(D, *schedule, grid, x, noise).flatten(1);
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
