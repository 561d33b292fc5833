#include "warp.h"

#include <algorithm>
#include <ATen/ops/empty.h>
#include <cmath>
#include <vector>

namespace edmund {
namespace {

// Low-pass filter of the wavelet sym6 (Daubechies 1992, table 6.3).
constexpr std::int64_t kTaps = 12, kReach = kTaps / 4;
constexpr std::array<float, kTaps> kLowPass = {0.015404109327027373F, 0.0034907120842174702F, -0.11799011114819057F,
                                               -0.048311742585633F,   0.4910559419267466F,    0.787641141030194F,
                                               0.3379294217276218F,   -0.07263752278646252F,  -0.021060292512300564F,
                                               0.04472490177066578F,  0.0017677118642428036F, -0.007800708325034148F};

struct Plane {
  std::int64_t height = 0, width = 0;
  std::vector<float> values;

  Plane(std::int64_t h, std::int64_t w) : height(h), width(w), values(static_cast<std::size_t>(h * w)) {}
  float& at(std::int64_t y, std::int64_t x) { return values[static_cast<std::size_t>(y * width + x)]; }
  float at(std::int64_t y, std::int64_t x) const { return values[static_cast<std::size_t>(y * width + x)]; }
};

std::int64_t mirrored(std::int64_t i, std::int64_t size) {
  if (i < 0) i = -i;
  return i < size ? i : 2 * (size - 1) - i;
}

Plane padded(const float* image, std::int64_t H, std::int64_t W, const std::array<std::int64_t, 4>& margin) {
  const auto [left, top, right, bottom] = margin;
  Plane out(H + top + bottom, W + left + right);
  for (std::int64_t y = 0; y < out.height; ++y)
    for (std::int64_t x = 0; x < out.width; ++x) out.at(y, x) = image[mirrored(y - top, H) * W + mirrored(x - left, W)];
  return out;
}

/// Element j of a row at twice the resolution: zeros between its elements, then the filter.
/// `row(i)` gives element i of `size`.
template <typename Row>
float raised(const Row& row, std::int64_t size, std::int64_t j) {
  float sum = 0.0F;
  // taps k with j + k - 6 = 2i
  for (std::int64_t k = j % 2; k < kTaps; k += 2) {
    const std::int64_t i = (j + k - kTaps / 2) / 2;
    if (j + k >= kTaps / 2 && i < size) sum += kLowPass[static_cast<std::size_t>(kTaps - 1 - k)] * row(i);
  }
  return sum;
}

Plane upsampled(const Plane& image) {
  Plane wide(image.height, 2 * image.width), out(2 * image.height, 2 * image.width);
  for (std::int64_t y = 0; y < wide.height; ++y)
    for (std::int64_t x = 0; x < wide.width; ++x)
      wide.at(y, x) = raised([&](std::int64_t i) { return image.at(y, i); }, image.width, x);
  for (std::int64_t y = 0; y < out.height; ++y)
    for (std::int64_t x = 0; x < out.width; ++x)
      out.at(y, x) = raised([&](std::int64_t i) { return wide.at(i, x); }, image.height, y);
  return out;
}

/// Linear between pixels, 0 outside.
float sampled(const Plane& image, double y, double x) {
  const double y0 = std::floor(y), x0 = std::floor(x);
  if (y0 < -1 || x0 < -1 || y0 >= static_cast<double>(image.height) || x0 >= static_cast<double>(image.width))
    return 0.0F;
  const auto top = static_cast<std::int64_t>(y0), left = static_cast<std::int64_t>(x0);
  const auto v = static_cast<float>(y - y0), u = static_cast<float>(x - x0);
  const auto pixel = [&](std::int64_t i, std::int64_t j) {
    return i >= 0 && i < image.height && j >= 0 && j < image.width ? image.at(i, j) : 0.0F;
  };
  return (1 - v) * ((1 - u) * pixel(top, left) + u * pixel(top, left + 1)) +
         v * ((1 - u) * pixel(top + 1, left) + u * pixel(top + 1, left + 1));
}

/// The result at twice its resolution, with a border that the filter reaches into.
Plane moved(const Plane& image, std::int64_t H, std::int64_t W, const std::array<std::array<double, 3>, 2>& inverse,
            const std::array<std::int64_t, 4>& margin) {
  const auto [left, top, right, bottom] = margin;
  // middle of what was the image, from the middle of the padded one
  const double dx = 0.5 * static_cast<double>(left - right), dy = 0.5 * static_cast<double>(top - bottom);
  const double last_x = 0.5 * static_cast<double>(image.width) - 1,
               last_y = 0.5 * static_cast<double>(image.height) - 1;
  Plane out(2 * (H + 2 * kReach), 2 * (W + 2 * kReach));
  for (std::int64_t j = 0; j < out.height; ++j)
    for (std::int64_t i = 0; i < out.width; ++i) {
      const double x = 0.5 * static_cast<double>(i + 1 - W - 2 * kReach),
                   y = 0.5 * static_cast<double>(j + 1 - H - 2 * kReach);
      const double u = inverse[0][0] * x + inverse[0][1] * y + inverse[0][2] + dx,
                   v = inverse[1][0] * x + inverse[1][1] * y + inverse[1][2] + dy;
      out.at(j, i) = sampled(image, 2 * v + last_y, 2 * u + last_x);
    }
  return out;
}

void downsample(const Plane& image, std::int64_t H, std::int64_t W, float* out) {
  Plane narrow(image.height, W);
  const auto lowered = [](const auto& row, std::int64_t i) {
    float sum = 0.0F;
    for (std::int64_t k = 0; k < kTaps; ++k) sum += kLowPass[static_cast<std::size_t>(k)] * row(2 * i + 1 + k);
    return sum;
  };
  for (std::int64_t y = 0; y < narrow.height; ++y)
    for (std::int64_t x = 0; x < W; ++x) narrow.at(y, x) = lowered([&](std::int64_t i) { return image.at(y, i); }, x);
  for (std::int64_t y = 0; y < H; ++y)
    for (std::int64_t x = 0; x < W; ++x) out[y * W + x] = lowered([&](std::int64_t i) { return narrow.at(i, x); }, y);
}

}  // namespace

std::array<std::int64_t, 4> warp_margin(const std::array<std::array<double, 3>, 2>& inverse, std::int64_t height,
                                        std::int64_t width) {
  const double cx = 0.5 * static_cast<double>(width - 1), cy = 0.5 * static_cast<double>(height - 1);
  std::array<double, 4> need = {};  // left, top, right, bottom; at least 0
  for (const double x : {-cx, cx})
    for (const double y : {-cy, cy}) {
      const double u = inverse[0][0] * x + inverse[0][1] * y + inverse[0][2],
                   v = inverse[1][0] * x + inverse[1][1] * y + inverse[1][2];
      const double filter = 2.0 * kReach;
      need = {std::max(need[0], filter - cx - u), std::max(need[1], filter - cy - v),
              std::max(need[2], filter - cx + u), std::max(need[3], filter - cy + v)};
    }
  std::array<std::int64_t, 4> out = {};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double most = static_cast<double>((i % 2 == 0 ? width : height) - 1);
    // rounding must not ask for a pixel more
    out[i] = static_cast<std::int64_t>(std::ceil(static_cast<float>(std::min(need[i], most))));
  }
  return out;
}

Tensor warped(const Tensor& image, const std::array<std::array<double, 3>, 2>& inverse,
              const std::array<std::int64_t, 4>& margin) {
  TORCH_CHECK(image.dim() == 3 && image.scalar_type() == at::kFloat && image.device().is_cpu(),
              "warped: float32 [C, H, W] on the CPU expected");
  const Tensor in = image.contiguous();
  Tensor out = at::empty(in.sizes(), in.options());
  const std::int64_t H = in.size(1), W = in.size(2);
  for (std::int64_t c = 0; c < in.size(0); ++c) {
    const Plane wide = upsampled(padded(in.const_data_ptr<float>() + c * H * W, H, W, margin));
    downsample(moved(wide, H, W, inverse, margin), H, W, out.data_ptr<float>() + c * H * W);
  }
  return out;
}

}  // namespace edmund
