#pragma once

#include "edmund/generation/image_generator.h"

namespace edmund {

/// Images taken to latents by the ODE and back.
struct RoundTrip {
  // ε = x/(s·σ) at the first time; floats in [-1, 1] but for the error; [N, C, H, W] both
  Tensor latents, images;
  std::int64_t evaluations = 0;  // network evaluations an image, both ways
};

/// Runs the generator's sampler over its grid backwards from images uint8 [N, C, H, W] and forwards
/// again, batch by batch (inversion.h). It must end at the last grid time (`final: none`). Throws
/// Error if it draws noise or cannot run backwards, Interrupted before a batch if asked to stop.
RoundTrip round_trip(const ImageGenerator& generator, const Tensor& images, const Tensor& labels);

}  // namespace edmund
