#pragma once

#include "edmund/core/tensor.h"
#include "edmund/data/dataset.h"
#include "edmund/evaluation/features.h"
#include "edmund/evaluation/frechet.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

namespace edmund {

/// What is known of a set of real images, and of noise beside it, by their features.
struct RealFeatures {
  Moments moments = {};  // of all of them
  Tensor kept = {};      // float64 [R, D]: all, or as many as were asked for, chosen by seed
  Tensor labels = {};    // int64 [R]: their classes; undefined without classes
  Tensor noise = {};     // float64 [R/2, D], at most 5,000: images of uniform noise in [0, 255]
};

struct RealSettings {
  std::int64_t kept = 10000;  // most images whose features are kept one by one
  std::uint64_t seed = 0;     // of this choice and of the noise
  // folder for what is summed up when the process is asked to stop, and every half minute; none: ""
  std::filesystem::path unfinished = {};
};

/// Reads all images of `data` in blocks of up to 250 and 64 MB and adds up their features as they
/// come, in float64, with progress: memory does not grow with the data. With an extractor of
/// cached_features() a block that was finished before is not computed again, and with a folder for
/// what is unfinished, of data and extractor whose fingerprints are known, it is not even read.
/// Throws Interrupted between two blocks if the process was asked to stop, as those below do.
RealFeatures real_features(const FeatureExtractor& features, const Dataset& data, const RealSettings& settings = {});
/// The same of images uint8 [N, C, H, W], all of which are kept.
RealFeatures real_features(const FeatureExtractor& features, const Tensor& images, std::uint64_t seed = 0);

/// Mean and covariance alone, in the same blocks and so the same numbers.
Moments feature_moments(const FeatureExtractor& features, const Dataset& data,
                        const std::filesystem::path& unfinished = {});

/// Features of all images of `data` in the same blocks, float64 [N, D], with progress; `see` is
/// given the images of each block, in order.
Tensor features_of(const FeatureExtractor& features, const Dataset& data,
                   const std::function<void(const Tensor& images)>& see = nullptr);
/// Features of images uint8 [N, C, H, W] in the same blocks, float64 [N, D], with progress of this
/// name.
Tensor features_in_blocks(const FeatureExtractor& features, const Tensor& images, std::string_view task);

/// Images of independent uniform noise in [0, 255], a function of seed: uint8 [count, C, H, W].
Tensor noise_images(std::int64_t count, at::IntArrayRef image_shape, std::uint64_t seed);

/// Images that are decoded and made features of at once, for images of so many bytes.
std::int64_t images_at_once(std::int64_t bytes_of_an_image);

}  // namespace edmund
