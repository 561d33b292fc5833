#pragma once

#include "edmund/core/tensor.h"

#include <array>
#include <cstdint>

namespace edmund {

/// Affine transformation of an image in two wavelet filters: up to twice the resolution, linear
/// between pixels there, and down again (Karras et al. 2020, "Training Generative Adversarial
/// Networks with Limited Data", appendix B). image float32 [C, H, W]; `inverse` leads from pixels
/// of the result to those of the image, both from the middle; `margin` pixels are mirrored at left,
/// top, right and bottom, beyond which there are zeros.
Tensor warped(const Tensor& image, const std::array<std::array<double, 3>, 2>& inverse,
              const std::array<std::int64_t, 4>& margin);

/// The margin that an image needs: as far as its corners are sought beyond it, and the filters'
/// reach; at most all that can be mirrored.
std::array<std::int64_t, 4> warp_margin(const std::array<std::array<double, 3>, 2>& inverse, std::int64_t height,
                                        std::int64_t width);

}  // namespace edmund
