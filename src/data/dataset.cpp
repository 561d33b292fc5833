#include "edmund/data/dataset.h"

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
  return dataset.read(chosen_indices(dataset.info().size, limit, seed));
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
