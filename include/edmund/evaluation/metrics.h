#pragma once

#include "edmund/core/table.h"
#include "edmund/core/tensor.h"
#include "edmund/evaluation/features.h"
#include "edmund/evaluation/frechet.h"
#include "edmund/evaluation/scores.h"
#include "edmund/evaluation/statistics_file.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund {

/// What a metric compares: features, float64 [N, D].
struct MetricInput {
  const FeatureExtractor& features;
  Tensor real, noise, generated;  // real: those that are kept, [R, D]
  Tensor labels = {};             // int64 [R]: classes of the real images; undefined: none
  // int64 [N]: classes of which fixed numbers were drawn; undefined: none
  Tensor drawn_labels = {};
  // of all real images, of which `real` may be a part; null: of `real`
  const Moments* moments = nullptr;
  const ReferenceStatistics* statistics = nullptr;
  std::uint64_t seed = 0;
};

/// The real images in two parts, so many in the first and the others, each class in proportion;
/// each draw is another choice.
std::pair<Tensor, Tensor> parted(const MetricInput& input, std::int64_t first, std::uint64_t draw);

/// Sets of one size n = min(half of the real images, generated images), which metrics that depend
/// on their size take: `real` and `held_out` share no image and have each class in proportion.
struct EqualSets {
  Tensor real, held_out, generated, noise;  // each [n, D]
};
EqualSets equal_sets(const MetricInput& input);

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
/// What is wrong with the name of a metric; empty if there is one of that name.
std::string metric_fault(std::string_view name);

}  // namespace edmund
