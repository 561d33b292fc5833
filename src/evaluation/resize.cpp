// Separable resizing: a convention is a matrix [out, in] of weights, and an image becomes W_y ·
// image · W_xᵀ; pytorch-fid's is an operator of LibTorch.

#include "edmund/evaluation/resize.h"

#include "edmund/data/resize.h"

#include <algorithm>
#include <ATen/ATen.h>

namespace edmund {
namespace {

/// Two neighbors of a source coordinate. The coordinate is in float32 because the implementations
/// have it so: at the far end of a large image its rounding shows in the weights.
void interpolate(double* row, std::int64_t in, float source) {
  const auto low = static_cast<std::int64_t>(source);
  const double share = static_cast<double>(source - static_cast<float>(low));
  row[std::min(low, in - 1)] += 1 - share;
  row[std::min(low + 1, in - 1)] += share;
}

/// Antialiased taps as a row of the matrix.
void filter(const Tensor& matrix, Kernel kernel) {
  const std::int64_t out = matrix.size(0), in = matrix.size(1);
  auto* row = matrix.mutable_data_ptr<double>();
  for (const Taps& own : taps(in, out, kernel)) {
    std::ranges::copy(own.weights, row + own.first);
    row += in;
  }
}

Tensor weights(std::int64_t in, std::int64_t out, Resize method) {
  const Tensor matrix = at::zeros({out, in}, at::kDouble);
  const float scale = static_cast<float>(in) / static_cast<float>(out);
  switch (method) {
    case Resize::kBilinear: TORCH_CHECK(false, "done by LibTorch's own operator");
    case Resize::kTf1Bilinear:
      for (std::int64_t i = 0; i < out; ++i)
        interpolate(matrix.mutable_data_ptr<double>() + i * in, in, static_cast<float>(i) * scale);
      break;
    case Resize::kBilinearAntialias: filter(matrix, Kernel::kBilinear); break;
    case Resize::kBicubicAntialias:
    case Resize::kPilBicubic: filter(matrix, Kernel::kBicubic); break;
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
