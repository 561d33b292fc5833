#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace edmund {

/// uint8 [C, H', W'] resized by `method`: area (means; for smaller images); bilinear, bicubic,
/// lanczos and box (antialiased, as Pillow's Image.resize, to within one level: see Kernel); pad
/// (zero border around the centered image, which must not be larger); crop (the largest centered
/// box of the asked proportions, then area). Throws Error for another method and for an image too
/// large to be padded.
Tensor resized(const Tensor& image, std::int64_t height, std::int64_t width, std::string_view method);

/// An interpolation kernel: a box, a triangle, Keys' cubic (1981, eq. 15) with a = -1/2, or sinc(x)
/// sinc(x/3) up to |x| = 3 (Lanczos; Duchon 1979). Where an image shrinks it is stretched by the
/// factor, so that it also takes out what smaller pixels cannot show.
enum class Kernel { kBox, kBilinear, kBicubic, kLanczos };

/// The pixels that make up one pixel of a resized line, and their weights, whose sum is 1.
struct Taps {
  std::int64_t first = 0;
  std::vector<double> weights;
};
/// For each of `out` pixels the taps on a line of `in` pixels; centers lie at half-pixels.
std::vector<Taps> taps(std::int64_t in, std::int64_t out, Kernel kernel);

}  // namespace edmund
