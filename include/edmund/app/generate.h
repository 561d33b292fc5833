#pragma once

#include "edmund/app/config.h"
#include "edmund/core/tensor.h"
#include "edmund/diffusion/model.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace edmund {

/// Images drawn from a model.
struct Generated {
  Tensor images;                 // uint8 [N, C, H, W]
  Tensor labels;                 // int64 [N]: the class asked for; undefined if unconditional
  std::int64_t evaluations = 0;  // network evaluations an image (NFE): a guided step counts both of its evaluations
  double seconds = 0.0;
};

/// Class of image i unless asked otherwise: i mod classes, so that each class comes equally often. int64 [N]; undefined if unconditional.
Tensor balanced_labels(const ModelShape& shape, std::span<const std::int64_t> images);

/// The model as a sampler sees it: classes bound, guided, thresholded or clipped. `count` grows by the network evaluations an image: one, or two where
/// it is guided (D_c and D_u of one batch, or both networks of autoguidance). Throws Error if the guide draws other images.
Denoiser sampling_denoiser(const DenoisingModel& model, const Sampling& sampling, const ModelShape& shape,
                           const Tensor& labels, const std::shared_ptr<std::int64_t>& count);

/// Draws the images with these numbers: each is a function of (seed, its number, its class), whatever the batch. `labels` [N] or undefined.
/// `progress` hears of finished images.
Generated generate(const DenoisingModel& model, const Sampling& sampling, const ModelShape& shape,
                   std::span<const std::int64_t> images, const Tensor& labels, std::uint64_t seed,
                   const std::function<void(std::int64_t)>& progress = nullptr);

/// The same with draws from elsewhere: `noise` makes the source for the images first … first + count - 1 of `images`.
using NoiseOf = std::function<std::unique_ptr<NoiseSource>(std::int64_t first, std::int64_t count)>;
Generated generate(const DenoisingModel& model, const Sampling& sampling, const ModelShape& shape, std::int64_t images,
                   const Tensor& labels, const NoiseOf& noise,
                   const std::function<void(std::int64_t)>& progress = nullptr);

/// The denoising of image numbers 0 … rows-1 seen at `columns` points of the way: uint8 [rows · columns, C, H, W], row by row: D(z; σ) as the sampler
/// got it, noisiest first.
Tensor trajectory(const DenoisingModel& model, const Sampling& sampling, const ModelShape& shape, std::int64_t rows,
                  std::int64_t columns, std::uint64_t seed);

}  // namespace edmund
