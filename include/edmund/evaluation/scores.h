#pragma once

#include "edmund/data/dataset.h"
#include "edmund/evaluation/classifier.h"
#include "edmund/evaluation/features.h"
#include "edmund/evaluation/real_features.h"
#include "edmund/evaluation/statistics_file.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace edmund {

/// How many images a number compares with how many real ones.
struct SetSizes {
  std::int64_t images = 0, real = 0;
};

/// One metric with what it must be read against.
struct Score {
  // "Fréchet distance (classifier, 64-d)"
  std::string name;
  std::string estimator;    // what is computed from the images, in a line
  std::string metric = {};  // of metric_table(); the name where a metric has several scores
  SetSizes of = {};         // drawn images and real ones
  double value = 0.0;
  /// Standard error from the choice of the drawn images, the real set taken as it is; unset where
  /// it cannot be told.
  std::optional<double> error = {};
  /// What the finite number of drawn images adds to the value in the mean; unset where it cannot
  /// be told or nothing is known of it.
  std::optional<double> bias = {};
  double floor = 0.0;    // what real images get that are none of those compared with
  double ceiling = 0.0;  // what noise images get
  SetSizes floor_of = {}, ceiling_of = {};
  std::string caution = {};  // what makes the number doubtful, as too few images do; "": nothing
  Tensor influence = {};     // as in DrawnDistance, for paired differences; undefined: not known

  /// The value less its bias.
  std::optional<double> corrected() const { return bias ? std::optional(value - *bias) : std::nullopt; }
  /// Share of the way from ceiling to floor that is closed: 1 is as good as real images, 0 as bad
  /// as noise. May lie outside [0, 1]; unset where floor and ceiling agree.
  std::optional<double> closed() const {
    return floor == ceiling ? std::nullopt : std::optional((ceiling - value) / (ceiling - floor));
  }
};

/// What is measured, and against what.
struct ScoreSettings {
  // names of metric_table(), in the order of the scores
  std::vector<std::string> metrics = {"frechet", "kid"};
  std::optional<ReferenceStatistics> statistics = std::nullopt;
};

/// Real images prepared once for many comparisons.
///
/// A Fréchet distance is that of all N drawn images to the moments of all M real ones, or to
/// statistics from a file. Its floor is that of min(N, M/2) real images, chosen by seed with each
/// class in proportion, to the other real ones (or to the statistics), in the mean of up to four
/// choices; its ceiling that of the noise images to all real ones. Metrics that need the features
/// themselves take the real images that are kept. Each score states how many of which it compares.
class Reference {
 public:
  /// Keeps a reference to `features`. Throws Error for fewer than 4 real images, unknown metrics,
  /// statistics of other features, and features that do not tell real images from noise.
  Reference(const FeatureExtractor& features, RealFeatures real, std::uint64_t seed, ScoreSettings settings = {});
  /// real_images uint8 [M, C, H, W].
  Reference(const FeatureExtractor& features, const Tensor& real_images, std::uint64_t seed,
            ScoreSettings settings = {});
  /// Scores of drawn images uint8 [N, C, H, W], N ≥ 2, for each of the metrics. `labels` int64 [N]
  /// where fixed numbers of each class were drawn.
  std::vector<Score> scores(const Tensor& drawn, const Tensor& labels = {}) const;
  /// The same of their features, [N, D].
  std::vector<Score> scores_of(const Tensor& features, const Tensor& labels = {}) const;
  std::int64_t count() const { return real_.moments.count(); }
  std::int64_t kept() const { return real_.kept.size(0); }

 private:
  const FeatureExtractor& features_;
  std::uint64_t seed_;
  ScoreSettings settings_;
  RealFeatures real_;
  mutable std::set<std::string> said_;  // cautions, each told once
};

/// Half of the interval about a value with this standard error that holds in `level` of all cases.
std::optional<double> half_interval(std::optional<double> error, double level = 0.95);

/// Share of generated images whose class, as the classifier names it, is the one that was asked
/// for, with binomial standard error.
/// Floor: the same share of held-out real images; ceiling: the same for noise images with the
/// labels asked for.
Score class_agreement(const Classifier& classifier, const Tensor& images, const Tensor& labels, const Batch& held_out,
                      std::uint64_t seed);

}  // namespace edmund
