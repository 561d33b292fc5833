#include "edmund/generation/image_generator.h"

#include "edmund/core/error.h"
#include "edmund/core/log.h"
#include "edmund/core/out_of_memory.h"
#include "edmund/core/stop.h"
#include "edmund/core/stopwatch.h"
#include "edmund/generation/guidance.h"
#include "edmund/generation/picture.h"
#include "edmund/ops/device.h"
#include "edmund/ops/graph.h"

#include <algorithm>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

namespace edmund {

/// One size of batches whose sampling loop is recorded: what differs from batch to batch lies in
/// tensors.
struct ImageGenerator::Recording {
  std::uint64_t seed;
  Tensor numbers, labels;  // int64 [B]; labels undefined if unconditional
  Tensor values;           // [B, C, H, W]
  std::unique_ptr<ops::Graph> graph;
  std::int64_t evaluations = 0, draws = 0;  // of the loop when it last ran on the host
};

namespace {

/// Sainte-Laguë: the j-th image of a class of size c is due at (2j + 1) / 2c, and images come in
/// this order, classes that are due together in theirs. A turn ends at 1, where each class has had
/// as many images as it has in the data.
class ClassOrder {
 public:
  explicit ClassOrder(std::vector<std::int64_t> sizes) : sizes_(std::move(sizes)) {
    for (const auto size : sizes_) total_ += size;
    require(total_ > 0, "classes: none of the {} classes has images to be drawn like", sizes_.size());
  }

  /// Class of the image with this number; fast where it is that of the call before plus one.
  std::int64_t next(std::int64_t image) {
    const std::int64_t place = image % total_;
    if (place != at_ || place == 0) seek(place);
    const auto [due, label] = queue_.top();
    queue_.pop();
    push(label, ++given_[label]);
    ++at_;
    return static_cast<std::int64_t>(label);
  }

 private:
  double due(std::size_t label, std::int64_t j) const {
    return static_cast<double>(2 * j + 1) / (2 * static_cast<double>(sizes_[label]));
  }
  void push(std::size_t label, std::int64_t j) {
    if (j < sizes_[label]) queue_.emplace(due(label, j), label);
  }

  void seek(std::int64_t place) {
    // At t there have been t·total images, but for half a one a class.
    const auto classes = static_cast<double>(sizes_.size());
    const double t = (static_cast<double>(place) - classes / 2) / static_cast<double>(total_);
    queue_ = {};
    given_.assign(sizes_.size(), 0);
    at_ = 0;
    for (std::size_t label = 0; label < sizes_.size(); ++label) {
      if (sizes_[label] == 0) continue;
      auto& j = given_[label];
      j = std::max<std::int64_t>(0, static_cast<std::int64_t>(t * static_cast<double>(sizes_[label]) + 0.5));
      while (j > 0 && due(label, j - 1) >= t) --j;
      while (j < sizes_[label] && due(label, j) < t) ++j;
      at_ += j;
      push(label, j);
    }
    while (at_ < place) {
      const std::size_t label = queue_.top().second;
      queue_.pop();
      push(label, ++given_[label]);
      ++at_;
    }
  }

  std::vector<std::int64_t> sizes_, given_;  // of each class: in the data, before at_
  std::int64_t total_ = 0, at_ = -1;
  using Due = std::pair<double, std::size_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> queue_;
};

// The same numbers for each image, [B, classes], made where the classes lie: recorded work must not
// copy from the host.
Tensor rows_of(const std::vector<double>& labels, const Tensor& classes) {
  std::vector<Tensor> columns;
  for (const double label : labels)
    columns.push_back(at::full({classes.size(0), 1}, label, classes.options().dtype(at::kFloat)));
  return at::cat(columns, 1);
}

}  // namespace

Tensor class_labels(const ModelShape& shape, ClassRule rule, std::span<const std::int64_t> images) {
  if (shape.num_classes == 0) return {};
  std::vector<std::int64_t> sizes = shape.class_counts;
  if (sizes.empty()) sizes.assign(static_cast<std::size_t>(shape.num_classes), 1);
  if (rule == ClassRule::kEven)
    for (auto& size : sizes) size = std::min<std::int64_t>(size, 1);
  ClassOrder order(std::move(sizes));
  Tensor labels = at::empty({static_cast<std::int64_t>(images.size())}, at::kLong);
  std::transform(images.begin(), images.end(), labels.data_ptr<std::int64_t>(),
                 [&](std::int64_t i) { return order.next(i); });
  return labels;
}

ImageGenerator::ImageGenerator(DenoisingModel model, Sampling sampling, ModelShape shape)
    : model_(std::move(model)), sampling_(std::move(sampling)), shape_(std::move(shape)) {}

ImageGenerator::~ImageGenerator() = default;

Denoiser ImageGenerator::denoiser(const Tensor& classes, const std::shared_ptr<std::int64_t>& count) const {
  const bool real = classes.defined() && !sampling_.labels.empty();
  const Tensor labels = real ? rows_of(sampling_.labels, classes) : classes;
  Denoiser D = counted(conditioned(model_, {.labels = labels}), count);
  if (sampling_.guidance != 1.0 && sampling_.guide) {
    require_guide_fits(*sampling_.guide, shape_);
    const Denoiser weak = counted(conditioned(sampling_.guide->model, {.labels = labels}), count);
    D = limited_to(sampling_.guidance_sigmas, guided(D, weak, sampling_.guidance), D);
  } else if (sampling_.guidance != 1.0 && labels.defined()) {
    const Tensor none = real ? at::zeros_like(labels) : at::full_like(labels, shape_.num_classes);
    const Denoiser both = guided(model_, {.labels = labels}, {.labels = none}, sampling_.guidance);
    D = limited_to(sampling_.guidance_sigmas, counted(both, count, 2), D);
  }
  if (sampling_.threshold > 0) return thresholded(D, sampling_.threshold, sampling_.threshold_max);
  return sampling_.clip ? clipped(D, *sampling_.clip) : D;
}

Tensor ImageGenerator::noise(std::span<const std::int64_t> numbers, std::uint64_t seed) const {
  PhiloxNoise source(seed, {numbers.begin(), numbers.end()}, at::kDouble, device_of(model_.network()));
  return source.normal({shape_.image.channels, shape_.image.height, shape_.image.width});
}

Generated ImageGenerator::draw(std::span<const std::int64_t> numbers, const Tensor& labels, std::uint64_t seed,
                               const DrawSettings& settings) {
  const at::Device device = device_of(model_.network());
  const bool records = sampling_.recordable && !settings.around && ops::records(device);
  const auto count = static_cast<std::int64_t>(numbers.size());
  return in_batches(count, labels, settings, [&](std::int64_t first, const Tensor& classes, std::int64_t size) {
    const auto part = numbers.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(size));
    if (records) return recorded(part, classes, seed);
    PhiloxNoise noise(seed, {part.begin(), part.end()}, at::kDouble, device);
    Batch batch = drawn(noise, classes, settings);
    batch.draws = noise.draws();
    return batch;
  });
}

Generated ImageGenerator::draw(std::int64_t count, const Tensor& labels, const NoiseOf& noise_of,
                               const DrawSettings& settings) const {
  return in_batches(count, labels, settings, [&](std::int64_t first, const Tensor& classes, std::int64_t size) {
    const auto noise = noise_of(first, size);
    return drawn(*noise, classes, settings);
  });
}

ImageGenerator::Batch ImageGenerator::in_parts(const DrawBatch& draw, std::int64_t first, const Tensor& labels,
                                               std::int64_t count, std::int64_t part) {
  if (part >= count) return draw(first, labels, count);
  Batch out;
  std::vector<Tensor> values;
  for (std::int64_t at = 0; at < count; at += part) {
    const std::int64_t size = std::min(part, count - at);
    const Batch batch = draw(first + at, labels.defined() ? labels.narrow(0, at, size) : Tensor(), size);
    values.push_back(batch.values);
    out.evaluations = std::max(out.evaluations, batch.evaluations);
    out.draws = std::max(out.draws, batch.draws);
  }
  out.values = at::cat(values);
  return out;
}

Generated ImageGenerator::in_batches(std::int64_t count, const Tensor& labels, const DrawSettings& settings,
                                     const DrawBatch& draw) const {
  require(count > 0, "no images were asked for");
  const c10::InferenceMode inference;
  const Stopwatch watch;
  const std::int64_t most = settings.batch_size > 0 ? settings.batch_size : sampling_.batch_size;
  Generated out{.labels = labels};
  std::vector<Tensor> images, values;
  std::int64_t room = most;  // images at once that memory has room for
  const auto fitting = [&](std::int64_t first, const Tensor& classes, std::int64_t size) {
    for (;;) {
      try {
        return in_parts(draw, first, classes, size, room);
      } catch (const std::exception& error) {
        if (std::min(room, size) == 1 || !is_out_of_memory(error)) throw;
      }
      const std::int64_t before = std::min(room, size);
      room = (before + 1) / 2;
      log::warn("out of memory for {} images at once: drawn with {} at once from here on, the same but for rounding",
                before, room);
    }
  };
  for (std::int64_t first = 0; first < count; first += most) {
    const std::int64_t size = std::min(count - first, most);
    if (!settings.skip || !settings.skip(first, size)) {
      if (!settings.whole) StopRequest::check();
      const Stopwatch watch_of_batch;
      const Tensor classes = labels.defined() ? labels.narrow(0, first, size) : Tensor();
      const Batch batch = fitting(first, classes, size);
      const Generated part{.images = picture_of(batch.values),
                           .labels = classes,
                           .values = settings.values ? batch.values.cpu() : Tensor(),
                           .evaluations = batch.evaluations,
                           .draws = batch.draws,
                           .seconds = watch_of_batch.seconds()};
      out.evaluations = std::max(out.evaluations, part.evaluations);
      out.draws = std::max(out.draws, part.draws);
      if (settings.finished) {
        settings.finished(first, part);
      } else {
        images.push_back(part.images);
        if (settings.values) values.push_back(part.values);
      }
    }
    if (settings.progress) settings.progress(first + size);
  }
  if (!images.empty()) out.images = at::cat(images);
  if (!values.empty()) out.values = at::cat(values);
  out.seconds = watch.seconds();
  return out;
}

ImageGenerator::Batch ImageGenerator::drawn(NoiseSource& noise, const Tensor& labels,
                                            const DrawSettings& settings) const {
  const auto evaluations = std::make_shared<std::int64_t>(0);
  Denoiser D = denoiser(labels, evaluations);
  if (settings.around) D = settings.around(std::move(D));
  Tensor values = sampled(sampling_, D, noise, shape_.image);
  return {.values = std::move(values), .evaluations = *evaluations};
}

ImageGenerator::Batch ImageGenerator::recorded(std::span<const std::int64_t> numbers, const Tensor& labels,
                                               std::uint64_t seed) {
  const auto size = static_cast<std::int64_t>(numbers.size());
  const at::TensorOptions options(device_of(model_.network()));
  std::unique_ptr<Recording>& kept = recordings_[size];
  if (!kept || kept->seed != seed || kept->labels.defined() != labels.defined()) {
    kept.reset();  // its memory first
    const ImageShape& image = shape_.image;
    kept = std::make_unique<Recording>(
        Recording{.seed = seed,
                  .numbers = at::zeros({size}, options.dtype(at::kLong)),
                  .labels = labels.defined() ? at::zeros({size}, options.dtype(at::kLong)) : Tensor(),
                  .values = at::empty({size, image.channels, image.height, image.width}, options.dtype(at::kDouble)),
                  .graph = ops::make_graph(options.device(), /*warm_up=*/1)});
  }
  Recording* const own = kept.get();
  own->numbers.copy_(at::tensor(at::ArrayRef<std::int64_t>(numbers.data(), numbers.size())));
  if (labels.defined()) own->labels.copy_(labels);
  try {
    own->graph->run([this, own] {
      PhiloxNoise noise(own->seed, own->numbers, at::kDouble);
      const Batch batch = drawn(noise, own->labels, {});
      own->values.copy_(batch.values);
      own->evaluations = batch.evaluations;
      own->draws = noise.draws();
    });
  } catch (const std::exception&) {
    kept.reset();  // what it holds, a smaller batch may need
    throw;
  }
  return {.values = own->values.clone(), .evaluations = own->evaluations, .draws = own->draws};
}

}  // namespace edmund
