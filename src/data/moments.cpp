#include "moments.h"

#include "pass.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>

namespace edmund {

PixelMoments::PixelMoments(std::int64_t images)
    : blocks_(static_cast<std::size_t>((images + kPassBlock - 1) / kPassBlock)) {}

void PixelMoments::add(std::int64_t i, const Tensor& image) {
  const Tensor whole = image.contiguous();
  const auto channels = static_cast<std::size_t>(whole.size(0));
  const auto pixels = static_cast<std::size_t>(whole.size(1) * whole.size(2));
  std::vector<Counts> counts;
  std::vector<Sums> sums;
  if (whole.scalar_type() == at::kByte) {
    counts.resize(channels);
    const auto* level = whole.const_data_ptr<std::uint8_t>();
    for (auto& own : counts)
      for (std::size_t k = 0; k < pixels; ++k) ++own[*level++];
  } else {
    sums.resize(channels);
    const auto* value = whole.const_data_ptr<float>();
    for (auto& own : sums)
      for (std::size_t k = 0; k < pixels; ++k, ++value) {
        own.values += *value;
        own.squares += double{*value} * *value;
      }
    for (auto& own : sums) own.count = static_cast<double>(pixels);
  }
  const std::lock_guard lock(mutex_);
  if (channels_ == 0) channels_ = whole.size(0);
  if (channels_ != whole.size(0)) return;
  ++images_;
  counts_.resize(channels);
  for (std::size_t c = 0; c < counts.size(); ++c)
    for (std::size_t level = 0; level < counts[c].size(); ++level) counts_[c][level] += counts[c][level];
  if (sums.empty()) return;
  auto& block = blocks_.at(static_cast<std::size_t>(i / kPassBlock));
  block.resize(channels);
  for (std::size_t c = 0; c < channels; ++c)
    block[c] = {block[c].count + sums[c].count, block[c].values + sums[c].values, block[c].squares + sums[c].squares};
}

std::vector<PixelMoments::Sums> PixelMoments::of_levels() const {
  std::vector<Sums> out;
  for (const Counts& counts : counts_) {
    Sums& own = out.emplace_back();
    for (std::size_t level = 0; level < counts.size(); ++level) {
      const double value = static_cast<double>(level) / 127.5 - 1, count = static_cast<double>(counts[level]);
      own = {own.count + count, own.values + count * value, own.squares + count * value * value};
    }
  }
  return out;
}

std::vector<PixelMoments::Sums> PixelMoments::of_reals() const {
  std::vector<Sums> out(static_cast<std::size_t>(channels_));
  for (const auto& block : blocks_)
    for (std::size_t c = 0; c < block.size(); ++c)
      out[c] = {out[c].count + block[c].count, out[c].values + block[c].values, out[c].squares + block[c].squares};
  return out;
}

DatasetStatistics PixelMoments::statistics() const {
  const std::lock_guard lock(mutex_);
  TORCH_CHECK(images_ > 0, "statistics: there are no images");
  const auto is_filled = [](const auto& block) { return !block.empty(); };
  const bool reals = std::ranges::any_of(blocks_, is_filled);
  const std::vector<Sums> sums = reals ? of_reals() : of_levels();
  const auto mean = [](const Sums& s) { return s.values / s.count; };
  const auto std = [&](const Sums& s) { return std::sqrt(std::max(0.0, s.squares / s.count - mean(s) * mean(s))); };
  Sums all;
  DatasetStatistics out{.images = images_};
  for (const Sums& own : sums) {
    all = {all.count + own.count, all.values + own.values, all.squares + own.squares};
    out.channel_mean.push_back(mean(own));
    out.channel_std.push_back(std(own));
  }
  out.mean = mean(all);
  out.std = std(all);
  return out;
}

}  // namespace edmund
