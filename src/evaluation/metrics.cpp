#include "edmund/evaluation/metrics.h"

#include "edmund/core/philox.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <utility>

namespace edmund {

MetricFunction class_scores, density_coverage_scores, energy_scores, frechet_infinity_scores, frechet_scores,
    kernel_scores, nearest_scores, precision_recall_scores;

namespace {

constexpr MetricEntry kMetrics[] = {
    {.name = "density_coverage",
     .about = "share of the data that is covered, and how densely",
     .source = "Naeem et al. 2020",
     .make = density_coverage_scores,
     .degree = 0},
    {.name = "energy",
     .about = "energy distance of the features: 0 for equal distributions alone",
     .source = "Székely & Rizzo 2013",
     .make = energy_scores,
     .symmetric = true,
     .degree = 1},
    {.name = "frechet",
     .about = "Fréchet distance of the features; FID with Inception-v3's",
     .source = "Heusel et al. 2017",
     .make = frechet_scores,
     .degree = 2},
    {.name = "frechet_infinity",
     .about = "Fréchet distance, continued to infinitely many images",
     .source = "Chong & Forsyth 2020",
     .make = frechet_infinity_scores,
     .degree = 2},
    {.name = "inception_score",
     .about = "how sure a classifier is of each image and how many classes it sees",
     .source = "Salimans et al. 2016",
     .make = class_scores},
    {.name = "kid",
     .about = "kernel distance of the features; KID with Inception-v3's",
     .source = "Bińkowski et al. 2018",
     .make = kernel_scores,
     .symmetric = true},
    {.name = "nearest",
     .about = "how near the images come to real ones: whether they are copies",
     .source = "Alaa et al. 2022",
     .make = nearest_scores},
    {.name = "precision_recall",
     .about = "share of images that look real, and of real ones that are met",
     .source = "Kynkäänniemi et al. 2019",
     .make = precision_recall_scores,
     .degree = 0},
};

/// The indices 0 … size-1 in an order drawn by (seed, draw), [size].
Tensor shuffled(std::int64_t size, std::uint64_t seed, std::uint64_t draw) {
  const Tensor order = at::empty({size}, at::kLong);
  auto* out = order.mutable_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < size; ++i)
    out[i] = static_cast<std::int64_t>(
        permuted(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(size), seed, draw));
  return order;
}

}  // namespace

std::span<const MetricEntry> metric_table() { return kMetrics; }

std::pair<Tensor, Tensor> halves(const MetricInput& input, std::uint64_t round) {
  const std::int64_t half = input.real.size(0) / 2;
  const Tensor order = shuffled(input.real.size(0), input.seed, 3 * round);
  return {input.real.index_select(0, order.narrow(0, 0, half)),
          input.real.index_select(0, order.narrow(0, half, half))};
}

EqualSets equal_sets(const MetricInput& input, std::uint64_t draw) {
  const std::uint64_t round = draw / 2, side = draw % 2;
  auto [real, held_out] = halves(input, round);
  if (side == 1) std::swap(real, held_out);
  const std::int64_t count = std::min(real.size(0), input.generated.size(0));
  const Tensor some = shuffled(input.generated.size(0), input.seed, 3 * round + 1 + side).narrow(0, 0, count);
  return {.real = real.narrow(0, 0, count),
          .held_out = held_out.narrow(0, 0, count),
          .generated = input.generated.index_select(0, some),
          .noise = input.noise.narrow(0, 0, count)};
}

}  // namespace edmund
