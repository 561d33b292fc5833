#pragma once

#include "edmund/samplers/sampler.h"
#include "samplers/gaussian.h"
#include "samplers/noise.h"

#include <ATen/ops/zeros.h>
#include <ATen/TensorIndexing.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <iterator>

namespace edmund::testing {

/// Errors of mean (its size) and variance (with its sign) of z at the last time, relative to its standard deviation and variance. Nothing is drawn: with linear D
/// a sampler is x' = A·x + Σ B_k n_k + C, and images of zeros and ones show A, B and C.
struct Bias {
  double mean, variance;
};
inline Bias bias(std::string_view sampler, const NoiseSchedule& path, int N) {
  const Gaussian data;
  const TimeGrid grid = smooth_grid(path, N);
  const double t = grid.t.front(), u = grid.t.back(), s = path.scale(t);
  Tensor x = at::zeros({2 + 2 * std::ssize(grid.t), 1, 1, 1}, at::kDouble);  // two draws a step at most
  x[1] = 1.0;
  UnitDraws noise(x.size(0), 2);
  const Tensor out = made(make_sampler, sampler)(data.denoiser(), path, grid, x, noise).flatten() / path.scale(u);
  const Tensor effect = out - out[0];
  const double A = effect[1].item<double>() * s, C = out[0].item<double>();
  const double drawn = effect.slice(0, 2).square().sum().item<double>();
  const double start = data.variance(path.sigma(t)), end = data.variance(path.sigma(u));
  return {std::abs(A * data.mean + C - data.mean) / std::sqrt(end), (A * A * start + drawn - end) / end};
}

}  // namespace edmund::testing
