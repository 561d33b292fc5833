#pragma once

#include "edmund/core/tensor.h"

namespace edmund {

/// uint8 pictures [N, 1 or 3, H, W], on the CPU, of images [N, C, H, W] in [-1, 1]. Latents of an
/// autoencoder, which have other channels, are no pictures: their first three, or the first, stand
/// for them.
Tensor picture_of(const Tensor& images);

}  // namespace edmund
