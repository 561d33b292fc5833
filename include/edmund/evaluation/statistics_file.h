#pragma once

#include "edmund/core/tensor.h"
#include "edmund/evaluation/features.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace edmund {

/// Mean and covariance of the features of a set of real images, which a Fréchet distance is taken
/// to.
struct ReferenceStatistics {
  Tensor mean, covariance;  // float64 [D], [D, D] (divided by N - 1)
  // ADM's mu_s, sigma_s; kept, not used; undefined in most files
  Tensor spatial_mean, spatial_covariance;
  std::optional<std::int64_t> count = std::nullopt;  // images
  /// What they were taken of: `extractor` (its fingerprint), `features`, `data`, `split`, `resize`,
  /// `edmund`. Empty in files of other programs.
  std::map<std::string, std::string> record = {};
  std::string file = {};  // for messages
};

/// Reads the .npz of NVlabs/edm (`mu`, `sigma`), of ADM's evaluator (with `mu_s`, `sigma_s`; its
/// images are not touched) or of edmund (with the record).
/// Throws Error for a file that is damaged, whose arrays do not fit or are not finite.
ReferenceStatistics read_statistics(const std::filesystem::path& path);

/// The .npz file of these statistics: `mu` and `sigma` as the others have them, beside them `count`
/// and the record's texts.
std::string statistics_bytes(const ReferenceStatistics& statistics);

/// Throws Error unless the statistics are of the features that `extractor` gives, `dims` of them.
/// Files without a record are believed to be Inception-v3's, with a warning: nobody can tell with
/// which resizing.
void require_same_features(const ReferenceStatistics& statistics, const FeatureExtractor& extractor, std::int64_t dims);

}  // namespace edmund
