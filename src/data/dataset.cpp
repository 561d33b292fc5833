#include "edmund/data/dataset.h"

#include "edmund/core/progress.h"
#include "edmund/core/stop.h"
#include "edmund/data/image_source.h"
#include "moments.h"
#include "pass.h"

#include <ATen/ATen.h>
#include <utility>

namespace edmund {
namespace {

class Subset final : public Dataset {
 public:
  Subset(const Dataset& whole, std::vector<std::int64_t> indices, std::string name)
      : whole_(whole), indices_(std::move(indices)), info_(whole.info()) {
    for (const auto i : indices_)
      TORCH_CHECK(i >= 0 && i < info_.size, "subset: index ", i, " of ", info_.size, " images");
    info_.name = std::move(name);
    info_.size = static_cast<std::int64_t>(indices_.size());
    info_.class_counts.clear();
  }

  DatasetInfo info() const override { return info_; }
  std::string file(std::int64_t i) const override { return whole_.file(indices_.at(static_cast<std::size_t>(i))); }

  Batch read(std::span<const std::int64_t> indices) const override {
    std::vector<std::int64_t> there;
    there.reserve(indices.size());
    for (const auto i : indices) there.push_back(indices_.at(static_cast<std::size_t>(i)));
    return whole_.read(there);
  }

 private:
  const Dataset& whole_;
  std::vector<std::int64_t> indices_;
  DatasetInfo info_;
};

}  // namespace

std::unique_ptr<Dataset> subset(const Dataset& whole, std::vector<std::int64_t> indices, std::string name) {
  return std::make_unique<Subset>(whole, std::move(indices), std::move(name));
}

Batch read_all(const Dataset& dataset, std::int64_t limit, std::uint64_t seed) {
  constexpr std::int64_t kBlock = 2048;  // images between two looks at the signals
  const auto indices = chosen_indices(dataset.info().size, limit, seed);
  const auto count = static_cast<std::int64_t>(indices.size());
  const std::span<const std::int64_t> all = indices;
  Progress progress("reading " + dataset.info().name, "images", count, 0, 10.0, Progress::kBrief);
  Batch out = dataset.read(all.first(static_cast<std::size_t>(std::min(kBlock, count))));
  if (count <= kBlock) return out;
  const auto whole = [&](const Tensor& part) {
    std::vector<std::int64_t> shape = part.sizes().vec();
    shape[0] = count;
    const Tensor to = at::empty(shape, part.options());
    to.narrow(0, 0, kBlock).copy_(part);
    return to;
  };
  out = {whole(out.images), whole(out.labels)};
  for (std::int64_t first = kBlock; first < count; first += kBlock) {
    StopRequest::check();
    const std::int64_t some = std::min(kBlock, count - first);
    const Batch part = dataset.read(all.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(some)));
    out.images.narrow(0, first, some).copy_(part.images);
    out.labels.narrow(0, first, some).copy_(part.labels);
    progress.update(first + some);
  }
  progress.finish();
  return out;
}

DatasetStatistics statistics(const Dataset& dataset, std::int64_t max_images) {
  const auto indices = chosen_indices(dataset.info().size, max_images, 0);
  const auto count = static_cast<std::int64_t>(indices.size());
  PixelMoments moments(count);
  for_all_images(count, "data's mean and std", [&](std::int64_t i) {
    moments.add(i, dataset.read(std::span(indices).subspan(static_cast<std::size_t>(i), 1)).images[0]);
  });
  return moments.statistics();
}

}  // namespace edmund
