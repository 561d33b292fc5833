#include "edmund/data/image_io.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "image_format.h"

#include <ATen/ATen.h>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <vector>

namespace edmund {
namespace {

// One row [1, n] of bytes that OpenCV reads in place.
cv::Mat as_row(std::string_view bytes) {
  return {1, static_cast<int>(bytes.size()), CV_8UC1, const_cast<char*>(bytes.data())};
}

// OpenCV reports some damaged files by an exception and others by an empty image.
cv::Mat decoded(std::string_view bytes, std::string_view name) {
  try {
    return cv::imdecode(as_row(bytes), cv::IMREAD_UNCHANGED);
  } catch (const cv::Exception&) {
    fail("{}: image data cannot be decoded; the file is damaged", name);
  }
}

}  // namespace

Tensor decode_image(std::string_view bytes, std::string_view name) {
  require(bytes.size() <= kEncodedLimit, "{}: {} bytes; at most {} are read", name, bytes.size(), kEncodedLimit);
  const auto header = image_header(bytes, name);
  check_complete(bytes, name);
  const cv::Mat pixels = decoded(bytes, name);
  require(!pixels.empty(), "{}: image data cannot be decoded; the file is damaged", name);
  require(pixels.depth() == CV_8U && pixels.channels() == header.channels && pixels.cols == header.width &&
              pixels.rows == header.height,
          "{}: {}x{} pixels of {} channels, but its header gives {}x{} of {}", name, pixels.cols, pixels.rows,
          pixels.channels(), header.width, header.height, header.channels);
  const std::int64_t area = header.width * header.height;
  Tensor image = at::empty({header.channels, header.height, header.width}, at::kByte);
  auto* out = image.data_ptr<std::uint8_t>();
  for (int y = 0; y < pixels.rows; ++y) {
    const auto* in = pixels.ptr<std::uint8_t>(y);
    for (int x = 0; x < pixels.cols; ++x, ++out)
      for (std::int64_t c = 0; c < header.channels; ++c)
        out[c * area] = in[x * header.channels + header.channels - 1 - c];
  }
  return image;
}

Tensor read_image(const std::filesystem::path& path) {
  return decode_image(read_file(path, kEncodedLimit), path.string());
}

std::string png_bytes(const Tensor& image) {
  TORCH_CHECK(image.dim() == 3 && image.scalar_type() == at::kByte && (image.size(0) == 1 || image.size(0) == 3),
              "png_bytes: uint8 [1 or 3, H, W] expected, found ", image.scalar_type(), " ", image.sizes());
  const Tensor bgr = image.cpu().permute({1, 2, 0}).flip(2).contiguous();  // [H, W, C], BGR
  const cv::Mat pixels(static_cast<int>(bgr.size(0)), static_cast<int>(bgr.size(1)),
                       bgr.size(2) == 1 ? CV_8UC1 : CV_8UC3, bgr.data_ptr());
  std::vector<unsigned char> bytes;
  TORCH_CHECK(cv::imencode(".png", pixels, bytes), "png_bytes: OpenCV has no PNG encoder");
  return {bytes.begin(), bytes.end()};
}

void write_png(const std::filesystem::path& path, const Tensor& image) { write_file(path, png_bytes(image)); }

}  // namespace edmund
