#pragma once

#include "edmund/core/options.h"
#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/diffusion/noise_source.h"
#include "edmund/samplers/sampler.h"
#include "edmund/schedules/noise_schedule.h"

#include <cstddef>

namespace edmund {

/// Noise that Karras et al. 2022 (algorithm 2) add before a step.
///
///   S_churn  0     amount for the whole run: σ̂ = σ(1 + γ), γ = min(S_churn/N, √2 - 1); 0 adds
///                  none and draws none
///   S_min    0     least σ that is churned
///   S_max    inf   greatest σ that is churned
///   S_noise  1     factor on the standard deviation of what is added
struct Churn {
  double amount = 0.0, min = 0.0, max = 0.0, noise = 1.0;
};
Churn read_churn(Options& options);

/// State and time after the churn.
struct Churned {
  Tensor x;
  double t;
};
/// x at t lifted to the time of σ̂ (its nearest level on a snapped() schedule; at most the
/// schedule's last σ): x̂ = (ŝ/s)·x + ŝ·√(σ̂² - σ²)·S_noise·n. One draw per call, also where γ = 0,
/// so that draw i belongs to step i.
Churned churned(const Churn& churn, const NoiseSchedule& schedule, Tensor x, double t, std::size_t N,
                NoiseSource& noise);

/// finish() after the churn of the last grid time, which Final::kNone leaves out.
Tensor finish(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t, Final final,
              const Churn& churn, std::size_t N, NoiseSource& noise);

}  // namespace edmund
