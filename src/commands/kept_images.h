#pragma once

#include "edmund/core/tensor.h"
#include "edmund/data/dataset.h"
#include "edmund/generation/image_generator.h"

#include <cstdint>
#include <filesystem>
#include <memory>

namespace edmund {

/// Images with the classes that were asked for.
struct KeptImages {
  std::unique_ptr<Dataset> images;
  Tensor labels = {};            // int64 [N]; undefined: none were
  std::int64_t evaluations = 0;  // network evaluations an image, of the batch that took most
  double seconds = 0.0;          // that drawing them took
};

/// Draws the images 0 … count - 1 batch by batch, each kept in a file of `folder` when it is done;
/// those that lie there are taken from there. The folder's name must stand for all that the images
/// depend on. Throws Interrupted between two batches if the process was asked to stop.
KeptImages draw_kept(ImageGenerator& generator, std::int64_t count, std::uint64_t seed,
                     const std::filesystem::path& folder);

}  // namespace edmund
