#include "edmund/core/error.h"
#include "edmund/io/image_io.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace edmund {
namespace {

cv::Mat plane(const Tensor& image, std::int64_t channel) {
  const Tensor values = image[channel];
  return {static_cast<int>(values.size(0)), static_cast<int>(values.size(1)), CV_8UC1, values.data_ptr()};
}

Tensor scaled(const Tensor& image, std::int64_t height, std::int64_t width, int interpolation) {
  Tensor out = at::empty({image.size(0), height, width}, at::kByte);
  for (std::int64_t c = 0; c < image.size(0); ++c) {
    cv::Mat to = plane(out, c);
    cv::resize(plane(image, c), to, to.size(), 0, 0, interpolation);
  }
  return out;
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
  if (method == "crop") return scaled(center(whole, height, width), height, width, cv::INTER_AREA);
  if (method == "area") return scaled(whole, height, width, cv::INTER_AREA);
  if (method == "bilinear") return scaled(whole, height, width, cv::INTER_LINEAR);
  require(method == "bicubic", "unknown way to resize '{}'; known: pad, area, bilinear, bicubic, crop", method);
  return scaled(whole, height, width, cv::INTER_CUBIC);
}

}  // namespace edmund
