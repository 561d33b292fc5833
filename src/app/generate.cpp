#include "edmund/app/generate.h"

#include "edmund/app/gpu_batch.h"
#include "edmund/app/guide.h"
#include "edmund/core/error.h"
#include "edmund/io/image_io.h"
#include "edmund/ops/pixels.h"

#include <algorithm>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/stack.h>
#include <c10/core/InferenceMode.h>
#include <chrono>
#include <utility>

namespace edmund {
namespace {

// `plain` guided as the settings say; both networks count.
Denoiser with_guidance(const Denoiser& plain, const DenoisingModel& model, const Sampling& sampling,
                       const ModelShape& shape, const Tensor& labels, const std::shared_ptr<std::int64_t>& count) {
  if (sampling.guide) {
    require_guide_fits(*sampling.guide, shape);
    return guided(plain, counted(conditioned(sampling.guide->model, {.labels = labels}), count), sampling.guidance);
  }
  const Tensor none = at::full_like(labels, shape.num_classes);
  return counted(guided(model, {.labels = labels}, {.labels = none}, sampling.guidance), count, 2);
}

Generated generated_on_gpu(const DenoisingModel& model, const Sampling& sampling, const ModelShape& shape,
                           std::span<const std::int64_t> images, const Tensor& labels, std::uint64_t seed,
                           const std::function<void(std::int64_t)>& progress) {
  require(!images.empty(), "no images were asked for");
  const c10::InferenceMode inference;
  const auto began = std::chrono::steady_clock::now();
  const auto count = static_cast<std::int64_t>(images.size());
  std::vector<Tensor> parts;
  std::unique_ptr<GpuBatch> batch;
  for (std::int64_t first = 0; first < count; first += sampling.batch_size) {
    const std::int64_t size = std::min(count - first, sampling.batch_size);
    if (!batch || batch->size() != size) {
      batch.reset();  // its memory first
      batch = std::make_unique<GpuBatch>(model, sampling, shape, seed, size, labels.defined());
    }
    parts.push_back(batch->draw(images.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(size)),
                                labels.defined() ? labels.narrow(0, first, size) : Tensor()));
    if (progress) progress(first + size);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
  return {.images = at::cat(parts), .labels = labels, .evaluations = batch->evaluations(), .seconds = seconds.count()};
}

}  // namespace

Denoiser sampling_denoiser(const DenoisingModel& model, const Sampling& sampling, const ModelShape& shape,
                           const Tensor& labels, const std::shared_ptr<std::int64_t>& count) {
  Denoiser D = counted(conditioned(model, {.labels = labels}), count);
  if (sampling.guidance != 1.0 && (labels.defined() || sampling.guide))
    D = limited_to(sampling.guidance_sigmas, with_guidance(D, model, sampling, shape, labels, count), D);
  if (sampling.threshold > 0) return thresholded(D, sampling.threshold);
  return sampling.clip ? clipped(D, *sampling.clip) : D;
}

Tensor balanced_labels(const ModelShape& shape, std::span<const std::int64_t> images) {
  if (shape.num_classes == 0) return {};
  Tensor labels = at::empty({static_cast<std::int64_t>(images.size())}, at::kLong);
  std::transform(images.begin(), images.end(), labels.data_ptr<std::int64_t>(),
                 [&](std::int64_t i) { return i % shape.num_classes; });
  return labels;
}

Generated generate(const DenoisingModel& model, const Sampling& sampling, const ModelShape& shape, std::int64_t images,
                   const Tensor& labels, const NoiseOf& noise_of, const std::function<void(std::int64_t)>& progress) {
  require(images > 0, "no images were asked for");
  const c10::InferenceMode inference;
  const auto began = std::chrono::steady_clock::now();
  const auto evaluations = std::make_shared<std::int64_t>(0);
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < images; first += sampling.batch_size) {
    const std::int64_t size = std::min(images - first, sampling.batch_size);
    const Tensor classes = labels.defined() ? labels.narrow(0, first, size) : Tensor();
    const auto noise = noise_of(first, size);
    *evaluations = 0;
    const Denoiser D = sampling_denoiser(model, sampling, shape, classes, evaluations);
    const Tensor x = initial_state(*sampling.path, sampling.grid, *noise,
                                   {shape.image.channels, shape.image.height, shape.image.width});
    parts.push_back(to_uint8(sampling.sampler(D, *sampling.path, sampling.grid, x, *noise)).cpu());
    if (progress) progress(first + size);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
  return {.images = at::cat(parts), .labels = labels, .evaluations = *evaluations, .seconds = seconds.count()};
}

Generated generate(const DenoisingModel& model, const Sampling& sampling, const ModelShape& shape,
                   std::span<const std::int64_t> images, const Tensor& labels, std::uint64_t seed,
                   const std::function<void(std::int64_t)>& progress) {
  if (device_of(model.network()).is_cuda())
    return generated_on_gpu(model, sampling, shape, images, labels, seed, progress);
  const NoiseOf noise = [&](std::int64_t first, std::int64_t count) {
    const auto part = images.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
    return std::make_unique<PhiloxNoise>(seed, std::vector<std::int64_t>(part.begin(), part.end()), at::kDouble,
                                         at::kCPU);
  };
  return generate(model, sampling, shape, static_cast<std::int64_t>(images.size()), labels, noise, progress);
}

Tensor trajectory(const DenoisingModel& model, const Sampling& sampling, const ModelShape& shape, std::int64_t rows,
                  std::int64_t columns, std::uint64_t seed) {
  const c10::InferenceMode inference;
  std::vector<std::int64_t> images(static_cast<std::size_t>(rows));
  for (std::int64_t i = 0; i < rows; ++i) images[static_cast<std::size_t>(i)] = i;
  const auto trace = std::make_shared<std::vector<Evaluation>>();
  PhiloxNoise noise(seed, images, at::kDouble, at::kCPU);
  const Denoiser D = recorded(
      sampling_denoiser(model, sampling, shape, balanced_labels(shape, images), std::make_shared<std::int64_t>(0)),
      trace);
  const Tensor x = initial_state(*sampling.path, sampling.grid, noise,
                                 {shape.image.channels, shape.image.height, shape.image.width});
  const Tensor last = sampling.sampler(D, *sampling.path, sampling.grid, x, noise);

  std::vector<Tensor> strip;  // each [rows, C, H, W]
  for (std::int64_t k = 0; k + 1 < columns; ++k) {
    const auto at =
        static_cast<std::size_t>(k) * trace->size() / static_cast<std::size_t>(std::max<std::int64_t>(columns - 1, 1));
    strip.push_back(to_uint8((*trace)[at].denoised));
  }
  strip.push_back(to_uint8(last));
  return at::stack(strip, 1).flatten(0, 1);  // [rows · columns, C, H, W]
}

}  // namespace edmund
