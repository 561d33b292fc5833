#include "edmund/data/dataset.h"

#include "edmund/data/image_source.h"
#include "pass.h"

#include <algorithm>
#include <array>
#include <ATen/ATen.h>
#include <cmath>
#include <mutex>
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
  std::array<std::int64_t, 256> counts{};  // exact, and the same in whatever order images are read
  std::mutex mutex;
  for_all_images(static_cast<std::int64_t>(indices.size()), "data's mean and std", [&](std::int64_t number) {
    const Batch batch = dataset.read(std::span(indices).subspan(static_cast<std::size_t>(number), 1));
    const auto* pixels = batch.images.const_data_ptr<std::uint8_t>();
    std::array<std::int64_t, 256> own{};
    for (std::int64_t i = 0; i < batch.images.numel(); ++i) ++own[pixels[i]];
    const std::lock_guard lock(mutex);
    for (std::size_t level = 0; level < counts.size(); ++level) counts[level] += own[level];
  });
  double total = 0, sum = 0, squares = 0;
  for (std::size_t level = 0; level < counts.size(); ++level) {
    const double value = static_cast<double>(level) / 127.5 - 1, count = static_cast<double>(counts[level]);
    total += count;
    sum += count * value;
    squares += count * value * value;
  }
  TORCH_CHECK(total > 0, "statistics: there are no images");
  const double mean = sum / total;
  return {.mean = mean,
          .std = std::sqrt(std::max(0.0, squares / total - mean * mean)),
          .images = static_cast<std::int64_t>(indices.size())};
}

}  // namespace edmund
