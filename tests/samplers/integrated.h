#pragma once

#include "edmund/samplers/velocity.h"

#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund::testing {

/// x at `low`, from x at `high`: N classical Runge-Kutta steps of the probability-flow ODE, evenly
/// in ln σ. Error about 1e-11 with 1200 steps.
inline Tensor integrated(const Denoiser& D, const NoiseSchedule& schedule, Tensor x, Interval times, int N) {
  const double first = schedule.sigma(times.high), last = schedule.sigma(times.low);
  for (int i = 0; i < N; ++i) {
    const auto time = [&](int k) {
      return k == 0   ? times.high
             : k == N ? times.low
                      : schedule.time(first * std::pow(last / first, static_cast<double>(k) / N));
    };
    const double t = time(i), u = time(i + 1), h = u - t;
    const Tensor k1 = velocity(D, schedule, x, t), k2 = velocity(D, schedule, x + 0.5 * h * k1, t + 0.5 * h);
    const Tensor k3 = velocity(D, schedule, x + 0.5 * h * k2, t + 0.5 * h), k4 = velocity(D, schedule, x + h * k3, u);
    x = x + (h / 6) * (k1 + 2 * k2 + 2 * k3 + k4);
  }
  return x;
}

}  // namespace edmund::testing
