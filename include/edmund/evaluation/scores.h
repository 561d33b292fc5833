#pragma once

#include "edmund/data/dataset.h"
#include "edmund/evaluation/classifier.h"
#include "edmund/evaluation/features.h"
#include "edmund/evaluation/statistics_file.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace edmund {

/// One metric with what it must be read against.
struct Score {
  std::string name;  // "Fréchet distance (classifier, 64-d)"
  double value = 0.0;
  double error = 0.0;    // standard error of the value; 0 where it is not known
  double floor = 0.0;    // what real images get
  double ceiling = 0.0;  // what noise images get
  /// Share of the way from ceiling to floor that is closed: 1 is as good as real images, 0 as bad
  /// as noise. May lie outside [0, 1].
  double closed() const { return (ceiling - value) / (ceiling - floor); }
};

/// What is measured, and against what.
struct ScoreSettings {
  // names of metric_table(), in the order of the scores
  std::vector<std::string> metrics = {"frechet", "kid"};
  std::optional<ReferenceStatistics> statistics = std::nullopt;
};

/// Real images prepared once for many comparisons.
///
/// A Fréchet distance between finite sets overestimates the distribution's, the more the fewer
/// images. So value, floor and ceiling compare sets of one size n = min(half of the real images,
/// generated images), each the mean over the same random halvings of the real images into A and B:
///   value    n generated images against n of A, and n others against n of B (drawn anew for each)
///   floor    n images of A against n of B: real images held out against the rest
///   ceiling  n images of uniform noise in [0, 255] against n of A, and of B
/// Against statistics from a file, all generated images are compared with them, as literature does;
/// floor and ceiling are as many real and noise images, if there are so many, against the same.
/// The kernel distance is unbiased: value and ceiling use all real images, the floor compares
/// halves and lies around 0.
class Reference {
 public:
  /// real_images uint8 [N, C, H, W], N ≥ 4. Keeps a reference to `features`. Throws Error for
  /// unknown metrics and for statistics of other features.
  Reference(const FeatureExtractor& features, const Tensor& real_images, std::uint64_t seed,
            ScoreSettings settings = {});
  /// Scores of generated images uint8 [M, C, H, W], M ≥ 2, for each of the metrics.
  std::vector<Score> scores(const Tensor& generated) const;
  std::int64_t count() const { return real_.size(0); }

 private:
  const FeatureExtractor& features_;
  std::uint64_t seed_;
  ScoreSettings settings_;
  Tensor real_, noise_;  // features, float64 [N, D] and [N/2, D]
};

/// Share of generated images whose class, as the classifier names it, is the one that was asked
/// for, with binomial standard error.
/// Floor: the same share of held-out real images; ceiling: the same for noise images with the
/// labels asked for.
Score class_agreement(const Classifier& classifier, const Tensor& images, const Tensor& labels, const Batch& held_out,
                      std::uint64_t seed);

}  // namespace edmund
