// Separable resizing: a convention is a matrix [out, in] of weights, and an image becomes W_y ·
// image · W_xᵀ; pytorch-fid's is an operator of LibTorch.

#include "edmund/evaluation/resize.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>

namespace edmund {
namespace {

double triangle(double x) { return std::max(1 - std::abs(x), 0.0); }

/// Keys 1981, eq. 15, with a = -1/2.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0.0;
}

/// Two neighbors of a source coordinate. The coordinate is in float32 because the implementations
/// have it so: at the far end of a large image its rounding shows in the weights.
void interpolate(double* row, std::int64_t in, float source) {
  const auto low = static_cast<std::int64_t>(source);
  const double share = static_cast<double>(source - static_cast<float>(low));
  row[std::min(low, in - 1)] += 1 - share;
  row[std::min(low + 1, in - 1)] += share;
}

/// Filter centered on the output pixel; wide enough for all source pixels that fall into it where
/// the image shrinks.
void filter(double* row, std::int64_t in, std::int64_t out, std::int64_t i, double (*shape)(double), double support) {
  const double scale = static_cast<double>(in) / static_cast<double>(out), stretch = std::max(scale, 1.0);
  const double center = (static_cast<double>(i) + 0.5) * scale, reach = support * stretch;
  const auto first = std::max<std::int64_t>(static_cast<std::int64_t>(center - reach + 0.5), 0);
  const auto last = std::min(static_cast<std::int64_t>(center + reach + 0.5), in);
  double sum = 0;
  for (std::int64_t j = first; j < last; ++j) sum += row[j] = shape((static_cast<double>(j) - center + 0.5) / stretch);
  for (std::int64_t j = first; j < last; ++j) row[j] /= sum;
}

Tensor weights(std::int64_t in, std::int64_t out, Resize method) {
  const Tensor matrix = at::zeros({out, in}, at::kDouble);
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  for (std::int64_t i = 0; i < out; ++i) {
    double* row = matrix.mutable_data_ptr<double>() + i * in;
    switch (method) {
      case Resize::kBilinear: TORCH_CHECK(false, "done by LibTorch's own operator");
      case Resize::kTf1Bilinear: interpolate(row, in, static_cast<float>(i) * scale); break;
      case Resize::kBilinearAntialias: filter(row, in, out, i, triangle, 1.0); break;
      case Resize::kBicubicAntialias:
      case Resize::kPilBicubic: filter(row, in, out, i, cubic, 2.0); break;
    }
  }
  return matrix.to(at::kFloat);
}

}  // namespace

Tensor resized_batch(const Tensor& images, std::int64_t height, std::int64_t width, Resize method) {
  TORCH_CHECK(images.dim() == 4 && images.size(2) > 0 && images.size(3) > 0, "images must be [B, C, H, W], found ",
              images.sizes());
  if (method == Resize::kBilinear)  // the operator of the definition itself
    return at::upsample_bilinear2d(images.to(at::kFloat).contiguous(), {height, width}, false);
  // [B, C, H, width]
  const Tensor rows = images.to(at::kFloat).matmul(weights(images.size(3), width, method).t());
  Tensor out = weights(images.size(2), height, method).matmul(rows);  // [B, C, height, width]
  return method == Resize::kPilBicubic ? out.clamp_(0, 255) : out;
}

}  // namespace edmund
