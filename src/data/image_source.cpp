#include "edmund/data/image_source.h"

#include "edmund/core/consecutive.h"
#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/philox.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cstring>
#include <memory>
#include <utility>

namespace edmund {
namespace {

constexpr std::int64_t kFold = 5;
constexpr std::int64_t kClassLimit = 1 << 20;

std::string pixel_checksum(const Tensor& image) {
  const Tensor pixels = image.contiguous();
  const auto* bytes = reinterpret_cast<const char*>(pixels.const_data_ptr<std::uint8_t>());
  return checksum({bytes, static_cast<std::size_t>(pixels.numel())});
}

}  // namespace

ImageSource stored(std::string name, const Tensor& images, std::string file) {
  TORCH_CHECK(images.dim() == 4 && images.scalar_type() == at::kByte, "stored: uint8 [N, C, H, W] expected, found ",
              images.scalar_type(), " ", images.sizes());
  const ImageHeader header{.width = images.size(3), .height = images.size(2), .channels = images.size(1)};
  return {.name = std::move(name),
          .size = images.size(0),
          .header = [header](std::int64_t) { return header; },
          .image = [images](std::int64_t i) { return images[i]; },
          .file = [file = std::move(file)](std::int64_t i) { return format("{}: image {}", file, i); },
          .content = [images](std::int64_t i) { return pixel_checksum(images[i]); }};
}

ImageSource stored(std::string name, const PixelFile& pixels, std::string file) {
  const auto& shape = pixels.shape;
  TORCH_CHECK(shape.size() == 3 || shape.size() == 4, "stored: [N, H, W] or [N, H, W, C] expected");
  const ImageHeader header{.width = shape[2], .height = shape[1], .channels = shape.size() == 4 ? shape[3] : 1};
  const auto size = static_cast<std::uint64_t>(header.width * header.height * header.channels);
  const auto bytes = [read = pixels.bytes, size](std::int64_t i) {
    return read(static_cast<std::uint64_t>(i) * size, size);
  };
  return {.name = std::move(name),
          .size = shape[0],
          .header = [header](std::int64_t) { return header; },
          .image =
              [header, bytes](std::int64_t i) {
                const std::string own = bytes(i);
                Tensor image = at::empty({header.height, header.width, header.channels}, at::kByte);
                std::memcpy(image.data_ptr<std::uint8_t>(), own.data(), own.size());
                return image.permute({2, 0, 1}).contiguous();
              },
          .file = [file = std::move(file)](std::int64_t i) { return format("{}: image {}", file, i); },
          .content = [bytes](std::int64_t i) { return checksum(bytes(i)); }};
}

ImageSource selected(ImageSource whole, std::vector<std::int64_t> indices) {
  const auto count = static_cast<std::int64_t>(indices.size());
  ImageSource out{.name = std::move(whole.name),
                  .size = count,
                  .num_classes = whole.num_classes,
                  .class_names = std::move(whole.class_names),
                  .floats = whole.floats};
  if (!whole.labels.empty())
    for (const auto i : indices) out.labels.push_back(whole.labels.at(static_cast<std::size_t>(i)));
  const auto at = std::make_shared<const std::vector<std::int64_t>>(std::move(indices));
  out.header = [at, f = std::move(whole.header)](std::int64_t i) { return f(at->at(static_cast<std::size_t>(i))); };
  out.image = [at, f = std::move(whole.image)](std::int64_t i) { return f(at->at(static_cast<std::size_t>(i))); };
  out.file = [at, f = std::move(whole.file)](std::int64_t i) { return f(at->at(static_cast<std::size_t>(i))); };
  out.content = [at, f = std::move(whole.content)](std::int64_t i) { return f(at->at(static_cast<std::size_t>(i))); };
  return out;
}

ImageSource split_by_class(ImageSource whole, std::string_view split) {
  if (split == "all") return whole;
  std::vector<std::int64_t> seen(static_cast<std::size_t>(std::max<std::int64_t>(whole.num_classes, 1)));
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < whole.size; ++i) {
    const auto label = whole.labels.empty() ? 0 : whole.labels[static_cast<std::size_t>(i)];
    const bool held_out = ++seen[static_cast<std::size_t>(label)] % kFold == 0;
    if (held_out == (split == "test")) indices.push_back(i);
  }
  return selected(std::move(whole), std::move(indices));
}

std::vector<std::int64_t> chosen_indices(std::int64_t size, std::int64_t count, std::uint64_t seed) {
  auto indices = consecutive(0, std::min(size, count));
  if (count >= size) return indices;
  for (auto& i : indices)
    i = static_cast<std::int64_t>(permuted(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(size), seed, 0));
  std::ranges::sort(indices);
  return indices;
}

std::int64_t checked_classes(std::span<const std::int64_t> labels, std::int64_t num_classes, std::string_view place) {
  const std::int64_t limit = num_classes > 0 ? num_classes : kClassLimit;
  std::int64_t largest = -1;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    require(labels[i] >= 0 && labels[i] < limit, "{}: label {} of image {}; labels from 0 to {} are expected", place,
            labels[i], i, limit - 1);
    largest = std::max(largest, labels[i]);
  }
  return num_classes > 0 ? num_classes : largest + 1;
}

}  // namespace edmund
