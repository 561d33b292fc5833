// energy: energy distance of the features, 2 E|x - y| - E|x - x'| - E|y - y'| for independent x, x'
// of one set and y, y' of the other (Székely & Rizzo 2013, eq. 2.1). 0 for equal distributions
// alone, whatever differs between others, and with no bandwidth to choose. Unbiased: the means are
// over different images. Its error is that of its influence function: how much each image moves it.

#include "edmund/core/error.h"
#include "edmund/evaluation/estimate.h"
#include "edmund/evaluation/metrics.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>

namespace edmund {
namespace {

// For each row of x the sum of its distances to all rows of y, [N]: block by block, so that no N x
// M matrix is held.
Tensor distance_sums(const Tensor& x, const Tensor& y) {
  constexpr std::int64_t kBlock = 1024;
  std::vector<Tensor> sums;
  for (std::int64_t begin = 0; begin < x.size(0); begin += kBlock)
    sums.push_back(at::cdist(x.narrow(0, begin, std::min(kBlock, x.size(0) - begin)), y).sum(1));
  return at::cat(sums);
}

// x [N, D], y [M, D]; N, M ≥ 2.
Estimate energy_distance(const Tensor& x, const Tensor& y) {
  const auto n = static_cast<double>(x.size(0)), m = static_cast<double>(y.size(0));
  const Tensor to_y = distance_sums(x, y) / m, to_x = distance_sums(y, x) / n;
  const Tensor among_x = distance_sums(x, x) / (n - 1), among_y = distance_sums(y, y) / (m - 1);
  const Estimate of_x = mean_estimate(2 * (to_y - among_x)), of_y = mean_estimate(2 * (to_x - among_y));
  return {.value = (of_x.value + of_y.value) / 2, .error = std::hypot(of_x.error, of_y.error)};
}

}  // namespace

std::vector<Score> energy_scores(const MetricInput& input) {
  const Estimate estimate = energy_distance(input.generated, input.real);
  const auto [a, b] = halves(input, 0);
  return {{.name = format("Energy distance ({}, {}-d)", input.features.name(), input.real.size(1)),
           .value = estimate.value,
           .error = estimate.error,
           .floor = energy_distance(a, b).value,
           .ceiling = energy_distance(input.noise, input.real).value}};
}

}  // namespace edmund
