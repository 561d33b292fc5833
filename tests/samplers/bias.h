#pragma once

#include "edmund/samplers/sampler.h"
#include "samplers/gaussian.h"
#include "samplers/noise.h"

#include <ATen/ops/zeros.h>
#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund::testing {

/// With linear D a sampler is z' = A·z + Σ B_k n_k + C. Nothing is drawn: C, C + A and then C + B_k
/// for each of its draws, [2 + draws].
inline Tensor responses(std::string_view sampler, const NoiseSchedule& schedule, const TimeGrid& grid) {
  const Sampler sample = made(make_sampler, sampler);
  const Denoiser D = Gaussian{}.denoiser();
  CountedDraws count;
  sample(D, schedule, grid, at::zeros({1, 1, 1, 1}, at::kDouble), count);
  Tensor x = at::zeros({2 + count.draws(), 1, 1, 1}, at::kDouble);
  x[1] = schedule.scale(grid.t.front());
  UnitDraws noise(x.size(0), 2);
  return sample(D, schedule, grid, x, noise).flatten() / schedule.scale(grid.t.back());
}

/// Errors of mean (its size) and variance (with its sign) of z at the last time, relative to its
/// standard deviation and variance.
struct Bias {
  double mean, variance;
};
inline Bias bias(std::string_view sampler, const NoiseSchedule& schedule, int N) {
  const Gaussian data;
  const TimeGrid grid = smooth_grid(schedule, N);
  const Tensor out = responses(sampler, schedule, grid), effect = out - out[0];
  const double A = effect[1].item<double>(), C = out[0].item<double>();
  const double drawn = effect.slice(0, 2).square().sum().item<double>();
  const double start = data.variance(schedule.sigma(grid.t.front())),
               end = data.variance(schedule.sigma(grid.t.back()));
  return {std::abs(A * data.mean + C - data.mean) / std::sqrt(end), (A * A * start + drawn - end) / end};
}

/// Whether the sampler uses more of a schedule than s and σ at grid times: on another clock it then
/// ends elsewhere.
inline bool uses_clock(std::string_view sampler, const NoiseSchedule& schedule) {
  const auto edm = schedule_of("{type: edm}");
  const TimeGrid grid = smooth_grid(schedule, 8);
  TimeGrid same;
  for (const double t : grid.t) same.t.push_back(edm->time(schedule.sigma(t)));
  return (responses(sampler, schedule, grid) - responses(sampler, *edm, same)).abs().max().item<double>() > 1e-6;
}

}  // namespace edmund::testing
