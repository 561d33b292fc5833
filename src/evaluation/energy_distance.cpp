// energy: energy distance of the features, 2 E|x - y| - E|x - x'| - E|y - y'| for independent x, x'
// of one set and y, y' of the other (Székely & Rizzo 2013, eq. 2.1). 0 for equal distributions
// alone, whatever differs between others, and with no bandwidth to choose. Unbiased: the means are
// over different images. Its error is that of its influence function: how much each image moves it.

#include "edmund/core/format.h"
#include "edmund/evaluation/drawn_distance.h"
#include "edmund/evaluation/metrics.h"

#include <algorithm>
#include <ATen/ATen.h>

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

// x [N, D], y [M, D]; N, M ≥ 2. The influence is that of the rows of x.
DrawnDistance energy_distance(const Tensor& x, const Tensor& y) {
  const auto n = static_cast<double>(x.size(0)), m = static_cast<double>(y.size(0));
  const Tensor to_y = distance_sums(x, y) / m, among_x = distance_sums(x, x) / (n - 1),
               among_y = distance_sums(y, y) / (m - 1);
  const Tensor influence = 2 * (to_y - among_x);
  return {.value = (2 * to_y.mean() - among_x.mean() - among_y.mean()).item<double>(),
          .bias = 0.0,
          .influence = influence - influence.mean()};
}

}  // namespace

std::vector<Score> energy_scores(const MetricInput& input) {
  DrawnDistance found = energy_distance(input.generated, input.real);
  found.influence = within_classes(found.influence, input.drawn_labels);
  const std::int64_t count = input.real.size(0);
  const auto [chosen, others] = parted(input, std::clamp<std::int64_t>(input.generated.size(0), 2, count / 2), 0);
  return {{.name = format("Energy distance ({}, {}-d)", input.features.name(), input.real.size(1)),
           .estimator = "unbiased, over all pairs of the drawn images and the real ones",
           .of = {input.generated.size(0), count},
           .value = found.value,
           .error = found.error(),
           .bias = found.bias,
           .floor = energy_distance(chosen, others).value,
           .ceiling = energy_distance(input.noise, input.real).value,
           .floor_of = {chosen.size(0), others.size(0)},
           .ceiling_of = {input.noise.size(0), count},
           .influence = found.influence}};
}

}  // namespace edmund
