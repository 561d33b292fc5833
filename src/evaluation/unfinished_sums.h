#pragma once

#include "edmund/data/dataset.h"
#include "edmund/evaluation/features.h"
#include "edmund/evaluation/frechet.h"

#include <cstdint>
#include <filesystem>

namespace edmund {

/// What is known of the first `done` of the real images.
struct Sums {
  std::int64_t done = 0;
  Moments moments = {};
  Tensor kept = {}, labels = {};  // of the chosen ones among them; undefined: none yet
};

/// The file for sums of this extractor over this data, of which `kept` are chosen by `seed`; ""
/// where the folder is "" or a fingerprint is not known.
std::filesystem::path unfinished_file(const std::filesystem::path& folder, const FeatureExtractor& features,
                                      const Dataset& data, std::int64_t kept, std::uint64_t seed);

/// Nothing is written where the path is "".
void write_sums(const std::filesystem::path& file, const Sums& sums);
/// Those that lie there, none of them if there are none or they are damaged.
Sums read_sums(const std::filesystem::path& file);

}  // namespace edmund
