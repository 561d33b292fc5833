#include "edmund/data/resize.h"

#include "edmund/core/error.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

namespace edmund {
namespace {

cv::Mat plane(const Tensor& image, std::int64_t channel) {
  const Tensor values = image[channel];
  return {static_cast<int>(values.size(0)), static_cast<int>(values.size(1)), CV_8UC1, values.data_ptr()};
}

Tensor means(const Tensor& image, std::int64_t height, std::int64_t width) {
  Tensor out = at::empty({image.size(0), height, width}, at::kByte);
  for (std::int64_t c = 0; c < image.size(0); ++c) {
    cv::Mat to = plane(out, c);
    cv::resize(plane(image, c), to, to.size(), 0, 0, cv::INTER_AREA);
  }
  return out;
}

// Weights as whole numbers of 2^-22, as Pillow has them, so that a pass over 8-bit pixels is one
// sum and one rounding.
constexpr int kFraction = 22;

struct FixedTaps {
  std::int64_t first = 0;
  std::vector<std::int32_t> weights;
};

std::vector<FixedTaps> fixed_taps(std::int64_t in, std::int64_t out, Kernel kernel) {
  std::vector<FixedTaps> all;
  for (const Taps& own : taps(in, out, kernel)) {
    all.push_back({.first = own.first, .weights = {}});
    for (const double weight : own.weights)
      all.back().weights.push_back(static_cast<std::int32_t>(std::lround(std::ldexp(weight, kFraction))));
  }
  return all;
}

std::uint8_t level(std::int64_t sum) {
  return static_cast<std::uint8_t>(std::clamp<std::int64_t>((sum + (1 << (kFraction - 1))) >> kFraction, 0, 255));
}

// [R, in] → [R, out]: each line by itself.
Tensor filtered_lines(const Tensor& lines, std::int64_t width, Kernel kernel) {
  const auto all = fixed_taps(lines.size(1), width, kernel);
  Tensor out = at::empty({lines.size(0), width}, at::kByte);
  const auto* from = lines.const_data_ptr<std::uint8_t>();
  auto* to = out.data_ptr<std::uint8_t>();
  for (std::int64_t row = 0; row < lines.size(0); ++row, from += lines.size(1))
    for (const FixedTaps& own : all) {
      std::int64_t sum = 0;
      for (std::size_t k = 0; k < own.weights.size(); ++k)
        sum += std::int64_t{own.weights[k]} * from[static_cast<std::size_t>(own.first) + k];
      *to++ = level(sum);
    }
  return out;
}

// [C, in, W] → [C, out, W]: sums of whole lines.
Tensor filtered_columns(const Tensor& image, std::int64_t height, Kernel kernel) {
  const std::int64_t width = image.size(2);
  Tensor out = at::empty({image.size(0), height, width}, at::kByte);
  const auto all = fixed_taps(image.size(1), height, kernel);
  std::vector<std::int64_t> sums(static_cast<std::size_t>(width));
  auto* to = out.data_ptr<std::uint8_t>();
  for (std::int64_t c = 0; c < image.size(0); ++c)
    for (const FixedTaps& own : all) {
      const auto* from = image.const_data_ptr<std::uint8_t>() + (c * image.size(1) + own.first) * width;
      std::ranges::fill(sums, 0);
      for (const std::int64_t weight : own.weights)
        for (auto& sum : sums) sum += weight * *from++;
      for (const auto sum : sums) *to++ = level(sum);
    }
  return out;
}

// First along the lines, then across them; rounded between. A direction that keeps its size is left
// alone.
Tensor filtered(const Tensor& image, std::int64_t height, std::int64_t width, Kernel kernel) {
  const std::int64_t channels = image.size(0), rows = image.size(1);
  Tensor out = image;
  if (width != image.size(2))
    out = filtered_lines(image.view({channels * rows, image.size(2)}), width, kernel).view({channels, rows, width});
  return height == rows ? out : filtered_columns(out, height, kernel);
}

Tensor padded(const Tensor& image, std::int64_t height, std::int64_t width) {
  const std::int64_t above = height - image.size(1), left = width - image.size(2);
  require(above >= 0 && left >= 0, "an image of {}x{} pixels cannot be padded to {}x{}", image.size(2), image.size(1),
          width, height);
  Tensor out = at::zeros({image.size(0), height, width}, at::kByte);
  out.narrow(1, above / 2, image.size(1)).narrow(2, left / 2, image.size(2)).copy_(image);
  return out;
}

// Largest centered box of the same proportions as height x width.
Tensor center(const Tensor& image, std::int64_t height, std::int64_t width) {
  const std::int64_t h = image.size(1), w = image.size(2);
  const std::int64_t box_height = std::clamp<std::int64_t>(std::min(h, (w * height + width / 2) / width), 1, h);
  const std::int64_t box_width = std::clamp<std::int64_t>(std::min(w, (h * width + height / 2) / height), 1, w);
  return image.narrow(1, (h - box_height) / 2, box_height).narrow(2, (w - box_width) / 2, box_width).contiguous();
}

}  // namespace

Tensor resized(const Tensor& image, std::int64_t height, std::int64_t width, std::string_view method) {
  TORCH_CHECK(image.dim() == 3 && image.scalar_type() == at::kByte, "resized: uint8 [C, H, W] expected, found ",
              image.scalar_type(), " ", image.sizes());
  TORCH_CHECK(height > 0 && width > 0, "resized: positive sizes expected, found ", height, " and ", width);
  const Tensor whole = image.contiguous();
  if (method == "pad") return padded(whole, height, width);
  if (method == "crop") return means(center(whole, height, width), height, width);
  if (method == "area") return means(whole, height, width);
  if (method == "lanczos") return filtered(whole, height, width, Kernel::kLanczos);
  if (method == "box") return filtered(whole, height, width, Kernel::kBox);
  if (method == "bilinear") return filtered(whole, height, width, Kernel::kBilinear);
  require(method == "bicubic", "unknown way to resize '{}'; known: pad, area, bilinear, bicubic, lanczos, box, crop",
          method);
  return filtered(whole, height, width, Kernel::kBicubic);
}

}  // namespace edmund
