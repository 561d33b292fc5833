#pragma once

#include "edmund/evaluation/features.h"

namespace edmund {

FeatureFactory make_classifier_features, make_efficientnet_features, make_identity_features, make_inception_features,
    make_pca_features;

/// xxHash64 of a tensor's shape, dtype and values.
std::string tensor_checksum(const Tensor& tensor);

/// Throws Error for images of real numbers, which are no pictures.
void require_pictures(const DatasetInfo& info);

/// Throws Error unless images are uint8 [B, C, H, W] of the shape that the extractor was made for.
void require_shape(const Tensor& images, const DatasetInfo& info, std::string_view extractor);

}  // namespace edmund
