#pragma once

#include "edmund/core/tensor.h"
#include "edmund/samplers/sampler.h"

#include <cstdint>

namespace edmund {

/// How known pixels are brought in.
struct Repainting {
  double eta = 1.0;            // of the steps: 1 posterior, 0 DDIM (see ancestral_step)
  std::int64_t resamples = 1;  // times that each piece of the grid is gone through; 1: replacement
  std::int64_t jump = 1;       // grid steps of such a piece
};

/// Sampler that fills in part of an image: after each step the known pixels are replaced by the
/// image at that noise level (Song & Ermon 2019), and each piece of `jump` steps is gone through
/// `resamples` times with fresh noise in between, which brings both parts into agreement (RePaint,
/// Lugmayr et al. 2022, algorithm 1). In z = x/s, hence on any schedule:
///   z' = mask·(ancestral step of z) + (1 - mask)·(image + σ'n),  and back: z = z' + √(σ² - σ'²)·n,
/// one draw for all steps of the way back, which is the same in law. At the end x = mask·D + (1 -
/// mask)·image. image [1 or B, C, H, W] in D's units; mask broadcasts over it: 1 where pixels are
/// to be painted, 0 where they are known. Calls D (N - 1)·resamples + 1 times on N grid times. The
/// law tends to the conditional one as resamples and grid grow; plain replacement does not.
Sampler repainted(Tensor image, Tensor mask, const Repainting& settings);

}  // namespace edmund
