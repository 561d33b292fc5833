#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>

namespace edmund {

/// How pixels are taken from an image of another size, as published feature extractors do it.
/// Feature distances see the difference (Parmar et al. 2022), so the choice is part of an
/// extractor's name.
enum class Resize {
  // source = i·in/out: no half-pixel centers, no blur before shrinking (TensorFlow 1, the FID of
  // Heusel et al. 2017)
  kTf1Bilinear,
  kBilinear,           // half-pixel centers, no blur before shrinking (pytorch-fid)
  kBilinearAntialias,  // triangle as wide as a pixel of the smaller image (Pillow)
  kBicubicAntialias,   // Keys' cubic with a = -1/2, likewise; overshoots [0, 255]
  kPilBicubic,         // the same on float channels, cut to [0, 255] (clean-fid)
};

/// images [B, C, H, W] of any real dtype → float32 [B, C, height, width] on the same scale; for
/// kPilBicubic that is [0, 255].
Tensor resized_batch(const Tensor& images, std::int64_t height, std::int64_t width, Resize method);

}  // namespace edmund
