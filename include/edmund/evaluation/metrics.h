#pragma once

#include "edmund/core/table.h"
#include "edmund/core/tensor.h"
#include "edmund/evaluation/features.h"
#include "edmund/evaluation/scores.h"
#include "edmund/evaluation/statistics_file.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund {

/// What a metric compares: features, float64 [N, D].
struct MetricInput {
  const FeatureExtractor& features;
  Tensor real, noise, generated;  // noise [N/2, D]: images of uniform noise
  const ReferenceStatistics* statistics = nullptr;
  std::uint64_t seed = 0;
};

/// The real images in two random halves; each round is another choice.
std::pair<Tensor, Tensor> halves(const MetricInput& input, std::uint64_t round);

/// Sets of one size n = min(half of the real images, generated images), which metrics that depend
/// on their size take: `real` and `held_out` from the halves of round draw/2, which change places
/// at odd draws.
struct EqualSets {
  Tensor real, held_out, generated, noise;  // each [n, D]
};
EqualSets equal_sets(const MetricInput& input, std::uint64_t draw);

using MetricFunction = std::vector<Score>(const MetricInput&);

/// A metric plugin.
struct MetricEntry {
  std::string_view name, about, source;  // as in Entry
  MetricFunction* make;
  // What is known of its values beyond doubt, for tests.
  bool symmetric = false;             // real and generated features may change places
  std::optional<double> degree = {};  // features times c give scores times c^degree
};
std::span<const MetricEntry> metric_table();

}  // namespace edmund
