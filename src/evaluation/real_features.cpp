#include "edmund/evaluation/real_features.h"

#include "edmund/core/consecutive.h"
#include "edmund/core/philox.h"
#include "edmund/core/progress.h"
#include "edmund/core/stop.h"
#include "edmund/core/stopwatch.h"
#include "edmund/data/image_source.h"
#include "edmund/ops/random.h"
#include "feature_factories.h"
#include "unfinished_sums.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace edmund {
namespace {

constexpr std::int64_t kMostNoise = 5000;
constexpr double kInterval = 10.0;  // seconds between two lines of progress
constexpr double kKept = 30.0;      // seconds of work that a crash may cost

/// Calls `use` with the number of each block's first image from `first` on, which begins a block,
/// the images and their features.
void for_each_block(const FeatureExtractor& features, const Dataset& data, std::int64_t first,
                    const std::function<void(std::int64_t first, const Batch& images, const Tensor& features)>& use) {
  const c10::InferenceMode inference;
  const DatasetInfo info = data.info();
  require_pictures(info);
  const std::int64_t most = images_at_once(info.channels * info.height * info.width);
  Progress progress("features of " + info.name, "images", info.size, first, kInterval, Progress::kBrief);
  for (; first < info.size; first += most) {
    StopRequest::check();
    const Batch batch = data.read(consecutive(first, std::min(most, info.size - first)));
    use(first, batch, features.extract(batch.images));
    progress.update(first + batch.images.size(0));
  }
  progress.finish();
}

/// Rows of a block that are among the ascending `chosen`, from the `next` one on.
std::vector<std::int64_t> rows_of(const std::vector<std::int64_t>& chosen, std::size_t& next, std::int64_t first,
                                  std::int64_t count) {
  std::vector<std::int64_t> out;
  for (; next < chosen.size() && chosen[next] < first + count; ++next) out.push_back(chosen[next] - first);
  return out;
}

/// `all` with `more` rows below.
Tensor joined(const Tensor& all, const Tensor& more) { return all.defined() ? at::cat({all, more}) : more; }

/// Of all images of `data`; `kept` of them are chosen by `seed`.
Sums summed(const FeatureExtractor& features, const Dataset& data, std::int64_t kept, std::uint64_t seed,
            const std::filesystem::path& unfinished) {
  const DatasetInfo info = data.info();
  const std::vector<std::int64_t> chosen = chosen_indices(info.size, kept, seed);
  const auto file = unfinished_file(unfinished, features, data, kept, seed);
  Sums out = read_sums(file);
  auto next = static_cast<std::size_t>(std::ranges::lower_bound(chosen, out.done) - chosen.begin());
  std::vector<Tensor> rows_kept, labels;  // since they were joined
  const auto join = [&] {
    for (const Tensor& rows : rows_kept) out.kept = joined(out.kept, rows);
    for (const Tensor& part : labels) out.labels = joined(out.labels, part);
    rows_kept.clear(), labels.clear();
  };
  Stopwatch since_kept;
  for_each_block(features, data, out.done, [&](std::int64_t first, const Batch& batch, const Tensor& block) {
    const Tensor x = block.to(at::kDouble);
    out.moments.add(x);
    out.done = first + x.size(0);
    if (const auto rows = rows_of(chosen, next, first, x.size(0)); !rows.empty()) {
      rows_kept.push_back(x.index_select(0, at::tensor(rows)));
      labels.push_back(batch.labels.index_select(0, at::tensor(rows)));
    }
    if (file.empty() || (!StopRequest::requested() && since_kept.seconds() < kKept)) return;
    join();
    write_sums(file, out);
    since_kept = {};
  });
  join();
  if (!file.empty()) std::filesystem::remove(file);
  return out;
}

}  // namespace

std::int64_t images_at_once(std::int64_t bytes_of_an_image) {
  constexpr std::int64_t kMost = 250, kBytes = 64 << 20;
  return std::clamp<std::int64_t>(kBytes / std::max<std::int64_t>(bytes_of_an_image, 1), 1, kMost);
}

Tensor noise_images(std::int64_t count, at::IntArrayRef image_shape, std::uint64_t seed) {
  const auto rows = consecutive(0, count);
  const Tensor u = ops::uniform(seed, Stream::kEvaluation, rows, 0, image_shape, at::kFloat, at::kCPU);
  return (u * 256).floor_().clamp_(0, 255).to(at::kByte);
}

Tensor features_in_blocks(const FeatureExtractor& features, const Tensor& images, std::string_view task) {
  const c10::InferenceMode inference;
  const std::int64_t count = images.size(0), most = images_at_once(images.numel() / std::max<std::int64_t>(count, 1));
  std::vector<Tensor> blocks;
  Progress progress(task, "images", count, 0, kInterval, Progress::kBrief);
  for (std::int64_t first = 0; first < count; first += most) {
    StopRequest::check();
    const std::int64_t size = std::min(most, count - first);
    blocks.push_back(features.extract(images.narrow(0, first, size)).to(at::kDouble));
    progress.update(first + size);
  }
  progress.finish();
  return at::cat(blocks);
}

Tensor features_of(const FeatureExtractor& features, const Dataset& data,
                   const std::function<void(const Tensor& images)>& see) {
  std::vector<Tensor> blocks;
  for_each_block(features, data, 0, [&](std::int64_t, const Batch& batch, const Tensor& block) {
    if (see) see(batch.images);
    blocks.push_back(block.to(at::kDouble));
  });
  return at::cat(blocks);
}

Moments feature_moments(const FeatureExtractor& features, const Dataset& data,
                        const std::filesystem::path& unfinished) {
  return summed(features, data, 0, 0, unfinished).moments;
}

RealFeatures real_features(const FeatureExtractor& features, const Dataset& data, const RealSettings& settings) {
  const c10::InferenceMode inference;
  const DatasetInfo info = data.info();
  Sums sums = summed(features, data, settings.kept, settings.seed, settings.unfinished);
  RealFeatures out{.moments = std::move(sums.moments), .kept = std::move(sums.kept)};
  if (info.num_classes > 0) out.labels = std::move(sums.labels);
  const std::int64_t noise = std::min(out.kept.size(0) / 2, kMostNoise);
  out.noise = features_in_blocks(features, noise_images(noise, {info.channels, info.height, info.width}, settings.seed),
                                 "features of noise");
  return out;
}

RealFeatures real_features(const FeatureExtractor& features, const Tensor& images, std::uint64_t seed) {
  const c10::InferenceMode inference;
  RealFeatures out{.kept = features.extract(images).to(at::kDouble)};
  out.moments.add(out.kept);
  const std::int64_t noise = std::min(images.size(0) / 2, kMostNoise);
  out.noise = features.extract(noise_images(noise, images.sizes().slice(1), seed)).to(at::kDouble);
  return out;
}

}  // namespace edmund
