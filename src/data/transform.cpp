#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "edmund/data/dataset_archive.h"
#include "edmund/data/resize.h"

#include <algorithm>
#include <array>
#include <ATen/ATen.h>
#include <cmath>
#include <utility>

namespace edmund {
namespace {

Tensor rgb(const Tensor& image) {
  return image.size(0) == 3 ? image : image.expand({3, image.size(1), image.size(2)}).contiguous();
}

Tensor center_crop(const Tensor& image, const ArchiveSettings& to) {
  const std::int64_t h = image.size(1), w = image.size(2), side = std::min(h, w);
  const Tensor square = image.narrow(1, (h - side) / 2, side).narrow(2, (w - side) / 2, side);
  return resized(rgb(square.contiguous()), to.height, to.width, "lanczos");
}

Tensor center_crop_wide(const Tensor& image, const ArchiveSettings& to) {
  const std::int64_t h = image.size(1), w = image.size(2);
  const auto rows = static_cast<std::int64_t>(
      std::nearbyint(static_cast<double>(to.width) * static_cast<double>(h) / static_cast<double>(w)));
  if (w < to.width || rows < to.height) return {};
  const Tensor band = rgb(image.narrow(1, (h - rows) / 2, rows).contiguous());
  Tensor out = at::zeros({3, to.width, to.width}, at::kByte);
  out.narrow(1, (to.width - to.height) / 2, to.height).copy_(resized(band, to.height, to.width, "lanczos"));
  return out;
}

Tensor center_crop_dhariwal(Tensor image, std::int64_t side) {
  while (std::min(image.size(1), image.size(2)) >= 2 * side)
    image = resized(image, image.size(1) / 2, image.size(2) / 2, "box");
  const double scale = static_cast<double>(side) / static_cast<double>(std::min(image.size(1), image.size(2)));
  const auto scaled = [&](std::int64_t size) {
    return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(size) * scale));
  };
  image = resized(image, scaled(image.size(1)), scaled(image.size(2)), "bicubic");
  const std::int64_t top = (image.size(1) - side) / 2, left = (image.size(2) - side) / 2;
  return image.narrow(1, top, side).narrow(2, left, side).contiguous();
}

constexpr std::array<std::pair<std::string_view, Transform>, 3> kTransforms = {{
    {"center-crop", Transform::kCenterCrop},
    {"center-crop-wide", Transform::kCenterCropWide},
    {"center-crop-dhariwal", Transform::kCenterCropDhariwal},
}};

}  // namespace

Transform transform_of(std::string_view name) {
  std::vector<std::string_view> known;
  for (const auto& [own, transform] : kTransforms) {
    if (own == name) return transform;
    known.push_back(own);
  }
  fail("--transform: unknown transform {}{}", in_quotes(name), suggestion(name, known));
}

Tensor transformed(const Tensor& image, const ArchiveSettings& settings) {
  switch (settings.transform) {
    case Transform::kCenterCrop: return center_crop(image, settings);
    case Transform::kCenterCropWide: return center_crop_wide(image, settings);
    case Transform::kCenterCropDhariwal: return center_crop_dhariwal(image, settings.width);
    default: break;
  }
  const std::int64_t height = settings.height > 0 ? settings.height : image.size(1),
                     width = settings.width > 0 ? settings.width : image.size(2);
  const bool same = height == image.size(1) && width == image.size(2);
  return same ? image : resized(image, height, width, "lanczos");
}

}  // namespace edmund
