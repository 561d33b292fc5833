#pragma once

#include "edmund/core/tensor.h"
#include "edmund/generation/image_generator.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace edmund {

/// Drawn images, uint8 [N, C, H, W], with the classes that were asked for.
struct KeptImages {
  Tensor images;
  Tensor labels = {};            // int64 [N]; undefined: none were
  std::int64_t evaluations = 0;  // network evaluations an image, of the batch that took most
  double seconds = 0.0;          // that drawing them took
};

/// Draws the images 0 … count - 1 batch by batch, each kept in a file of `folder` when it is done;
/// those that lie there are taken from there. The folder's name must stand for all that the images
/// depend on. Throws Interrupted between two batches if the process was asked to stop.
KeptImages draw_kept(ImageGenerator& generator, std::int64_t count, std::uint64_t seed,
                     const std::filesystem::path& folder);

/// xxHash64 of images.
std::string checksum_of(const Tensor& images);

}  // namespace edmund
