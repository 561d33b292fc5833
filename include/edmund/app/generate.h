#pragma once

#include "edmund/app/config.h"
#include "edmund/diffusion/model.h"
#include "edmund/ops/tensor.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace edmund {

/// Images drawn from a model.
struct Generated {
  Tensor images;                 // uint8 [N, C, H, W]
  Tensor labels;                 // int64 [N]: the class asked for; undefined if unconditional
  std::int64_t evaluations = 0;  // network evaluations a image (NFE)
  double seconds = 0.0;
};

/// Class of image i unless asked otherwise: i mod classes, so that each class comes equally often. int64 [N]; undefined if unconditional.
Tensor balanced_labels(const ModelShape& shape, std::span<const std::int64_t> images);

/// The model as the sampler sees it: classes bound (`labels` [B] or undefined), guided, clipped.
Denoiser sampling_denoiser(const DenoisingModel& model, const Sampling& sampling, const ModelShape& shape,
                           const Tensor& labels);

/// Draws the images with these numbers: each is a function of (seed, its number, its class), whatever the batch. `labels` [N] or undefined.
/// `progress` hears of finished images.
Generated generate(const DenoisingModel& model, const Sampling& sampling, const ModelShape& shape,
                   std::span<const std::int64_t> images, const Tensor& labels, std::uint64_t seed,
                   const std::function<void(std::int64_t)>& progress = nullptr);

/// The denoising of image numbers 0 … rows-1 seen at `columns` points of the way: uint8 [rows · columns, C, H, W], row by row: D(z; σ) as the sampler
/// got it, noisiest first.
Tensor trajectory(const DenoisingModel& model, const Sampling& sampling, const ModelShape& shape, std::int64_t rows,
                  std::int64_t columns, std::uint64_t seed);

}  // namespace edmund
