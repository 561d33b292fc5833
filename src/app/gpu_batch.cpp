#include "edmund/app/gpu_batch.h"

#include "edmund/io/image_io.h"
#include "edmund/ops/device.h"
#include "edmund/ops/pixels.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

namespace edmund {

GpuBatch::GpuBatch(const DenoisingModel& model, const Sampling& sampling, const ModelShape& shape, std::uint64_t seed,
                   std::int64_t size, bool labeled)
    : model_(model), sampling_(sampling), shape_(shape), seed_(seed) {
  const at::TensorOptions gpu(device_of(model.network()));
  numbers_ = at::zeros({size}, gpu.dtype(at::kLong));
  if (labeled) labels_ = at::zeros({size}, gpu.dtype(at::kLong));
  images_ = at::empty({size, shape.image.channels, shape.image.height, shape.image.width}, gpu.dtype(at::kByte));
  if (sampling.recordable && ops::records(gpu.device())) graph_ = ops::make_graph(gpu.device(), /*warm_up=*/1);
}

Tensor GpuBatch::draw(std::span<const std::int64_t> images, const Tensor& labels) {
  numbers_.copy_(at::tensor(at::ArrayRef<std::int64_t>(images.data(), images.size())));
  if (labels_.defined()) labels_.copy_(labels);
  const auto work = [this] { draw_into(); };
  if (graph_) {
    graph_->run(work);
  } else {
    work();
  }
  return images_.cpu();
}

void GpuBatch::draw_into() {
  *evaluations_ = 0;
  PhiloxNoise noise(seed_, numbers_, at::kDouble);
  const Denoiser D = sampling_denoiser(model_, sampling_, shape_, labels_, evaluations_);
  const Tensor x = initial_state(*sampling_.path, sampling_.grid, noise,
                                 {shape_.image.channels, shape_.image.height, shape_.image.width});
  images_.copy_(to_uint8(sampling_.sampler(D, *sampling_.path, sampling_.grid, x, noise)));
}

}  // namespace edmund
