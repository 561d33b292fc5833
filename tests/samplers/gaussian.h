#pragma once

#include "edmund/diffusion/denoiser.h"
#include "edmund/diffusion/time_grid.h"
#include "edmund/schedules/noise_schedule.h"
#include "schedules/cases.h"

#include <algorithm>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <string>

namespace edmund::testing {

/// Independent pixels N(mean, std²): D is linear and the ODE has a closed form.
struct Gaussian {
  double mean = 0.3, std = 0.5;

  Denoiser denoiser() const {
    return [*this](const Tensor& z, double sigma) {
      return mean + (std * std / (std * std + sigma * sigma)) * (z - mean);
    };
  }
  /// Variance of z at σ.
  double variance(double sigma) const { return std * std + sigma * sigma; }
  /// Where the probability-flow ODE takes z from σ to `next`.
  double transported(double z, double sigma, double next) const {
    return mean + (z - mean) * std::sqrt(variance(next) / variance(sigma));
  }
};

/// N + 1 times, evenly in ln σ over the part of [0.05, 20] that the schedule spans.
inline TimeGrid smooth_grid(const NoiseSchedule& schedule, int N) {
  const std::string low = number_text(std::max(schedule.sigmas().low, 0.05)),
                    high = number_text(std::min(schedule.sigmas().high, 20.0));
  return made(make_grid,
              "{type: log_snr, steps: " + std::to_string(N + 1) + ", sigma_min: " + low + ", sigma_max: " + high + "}",
              schedule, Interval{0.0, 1e300});
}

}  // namespace edmund::testing
