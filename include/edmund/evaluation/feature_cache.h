#pragma once

#include "edmund/evaluation/features.h"

#include <filesystem>
#include <memory>

namespace edmund {

/// The same extractor, except that features of a batch of images which it was given before are read
/// from `folder`. A file's name is a checksum of the images, the extractor and its preprocessing;
/// files are written aside and renamed, and one that is damaged is computed anew. Extractors
/// without a fingerprint, or not worth keeping, are answered as they are, and so is any if `folder`
/// is empty.
std::unique_ptr<FeatureExtractor> cached_features(std::unique_ptr<FeatureExtractor> features,
                                                  const std::filesystem::path& folder);

}  // namespace edmund
