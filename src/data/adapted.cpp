#include "adapted.h"

#include "edmund/core/error.h"
#include "edmund/data/resize.h"
#include "edmund/io/image_io.h"

#include <ATen/ATen.h>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace edmund {
namespace {

std::string text(const ImageHeader& header) {
  return format("{}x{} pixels of {} channel{}", header.width, header.height, header.channels,
                header.channels == 1 ? "" : "s");
}

void check_sizes(const ImageSource& source, const ImageHeader& shape, const Adaptation& wanted) {
  for (std::int64_t i = 0; i < source.size; ++i) {
    const auto found = source.header(i);
    if (found.width == shape.width && found.height == shape.height) continue;
    require(wanted.size > 0, "{}: {}, but {} has {}; give `size` and `resize`, or images of one size", source.file(i),
            text(found), source.file(0), text(source.header(0)));
    require(!source.floats, "{}: {}, but `size` asks for {}x{}; images of real numbers are not resized", source.file(i),
            text(found), wanted.size, wanted.size);
    require(wanted.resize != "refuse",
            "{}: {}, but `size` asks for {}x{}; give `resize`: pad, area, bilinear, bicubic or crop", source.file(i),
            text(found), wanted.size, wanted.size);
    if (wanted.resize != "pad") return;
    require(found.width <= shape.width && found.height <= shape.height,
            "{}: {} cannot be padded to {}x{}; choose another `resize`", source.file(i), text(found), shape.width,
            shape.height);
  }
}

void check_channels(const ImageSource& source, const ImageHeader& shape, const Adaptation& wanted) {
  for (std::int64_t i = 0; i < source.size; ++i) {
    const auto found = source.header(i);
    if (found.channels == shape.channels || (found.channels == 1 && wanted.channels == 3)) continue;
    require(wanted.channels > 0,
            "{}: {}, but {} has {}; give `channels: 3` to repeat grey images, or images of one kind", source.file(i),
            text(found), source.file(0), text(source.header(0)));
    fail("{}: {}, but `channels` asks for {}; color images are not made grey here, convert them first", source.file(i),
         text(found), wanted.channels);
  }
}

// Image i in this shape: resized, grey repeated.
Tensor brought(const ImageSource& source, std::int64_t i, const ImageHeader& shape, const std::string& method) {
  const Tensor raw = source.image(i);  // [C, H, W]
  const auto promised = source.header(i);
  if (raw.size(0) != promised.channels || raw.size(1) != promised.height || raw.size(2) != promised.width)
    fail("{}: {}x{} pixels of {} channels, but {} when the data set was opened; the file has changed", source.file(i),
         raw.size(2), raw.size(1), raw.size(0), text(promised));
  const bool same = raw.size(1) == shape.height && raw.size(2) == shape.width;
  const Tensor image = same ? raw : resized(raw, shape.height, shape.width, method);
  return image.size(0) == shape.channels ? image : image.expand({shape.channels, shape.height, shape.width});
}

class Adapted final : public Dataset {
 public:
  // All images of `source` have one shape.
  explicit Adapted(ImageSource source) : source_(std::move(source)), shape_(source_.header(0)) {
    if (source_.labels.empty()) return;
    class_counts_.resize(static_cast<std::size_t>(source_.num_classes));
    for (const auto label : source_.labels) ++class_counts_.at(static_cast<std::size_t>(label));
  }

  DatasetInfo info() const override {
    return {.name = source_.name,
            .size = source_.size,
            .channels = shape_.channels,
            .height = shape_.height,
            .width = shape_.width,
            .num_classes = source_.num_classes,
            .class_names = source_.class_names,
            .class_counts = class_counts_,
            .floats = source_.floats};
  }

  std::string file(std::int64_t i) const override { return source_.file(i); }
  DataFingerprint fingerprint() const override {
    const std::lock_guard lock(mutex_);
    if (!fingerprint_) fingerprint_ = edmund::fingerprint(source_);  // reads every file
    return *fingerprint_;
  }

  Batch read(std::span<const std::int64_t> indices) const override {
    const auto count = static_cast<std::int64_t>(indices.size());
    Batch batch{.images = at::empty({count, shape_.channels, shape_.height, shape_.width},
                                    source_.floats ? at::kFloat : at::kByte),
                .labels = at::zeros({count}, at::kLong)};
    auto* to = static_cast<char*>(batch.images.mutable_data_ptr());
    auto* labels = batch.labels.data_ptr<std::int64_t>();
    for (const auto i : indices) {
      TORCH_CHECK(i >= 0 && i < source_.size, "Dataset::read: index ", i, " of ", source_.size, " images");
      const Tensor image = source_.image(i).contiguous();
      std::memcpy(to, image.const_data_ptr(), image.nbytes());
      to += image.nbytes();
      *labels++ = source_.labels.empty() ? 0 : source_.labels[static_cast<std::size_t>(i)];
    }
    return batch;
  }

 private:
  ImageSource source_;
  ImageHeader shape_;
  std::vector<std::int64_t> class_counts_;
  mutable std::mutex mutex_;
  mutable std::optional<DataFingerprint> fingerprint_;
};

}  // namespace

ImageSource of_one_shape(ImageSource source, const Adaptation& wanted) {
  require(source.size > 0, "{}: there are no images", source.name);
  ImageHeader shape = source.header(0);
  if (wanted.size > 0) shape.width = shape.height = wanted.size;
  if (wanted.channels > 0) shape.channels = wanted.channels;
  shape.orientation = 1;
  check_sizes(source, shape, wanted);
  check_channels(source, shape, wanted);
  ImageSource out = source;
  out.header = [shape](std::int64_t) { return shape; };
  out.image = [whole = std::make_shared<const ImageSource>(std::move(source)), shape,
               method = wanted.resize](std::int64_t i) { return brought(*whole, i, shape, method); };
  return out;
}

std::unique_ptr<Dataset> adapted(ImageSource source, const Adaptation& wanted) {
  return std::make_unique<Adapted>(of_one_shape(std::move(source), wanted));
}

}  // namespace edmund
