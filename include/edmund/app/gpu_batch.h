#pragma once

#include "edmund/app/generate.h"
#include "edmund/ops/graph.h"

#include <cstdint>
#include <memory>
#include <span>

namespace edmund {

/// Batches of one size drawn on a GPU, state and noise included. The whole sampling loop is recorded at the second batch and then replayed, if
/// ops::records() and the sampler allows it: image numbers and classes lie in its memory, the grid's constants in the record.
class GpuBatch {
 public:
  GpuBatch(const DenoisingModel& model, const Sampling& sampling, const ModelShape& shape, std::uint64_t seed,
           std::int64_t size, bool labeled);

  /// uint8 [size, C, H, W] on the CPU; labels [size] or undefined, as `labeled` said.
  Tensor draw(std::span<const std::int64_t> images, const Tensor& labels);
  std::int64_t size() const { return numbers_.size(0); }
  /// Network evaluations an image, see Generated.
  std::int64_t evaluations() const { return *evaluations_; }

 private:
  void draw_into();

  const DenoisingModel& model_;
  const Sampling& sampling_;
  const ModelShape& shape_;
  std::uint64_t seed_;
  std::shared_ptr<std::int64_t> evaluations_ = std::make_shared<std::int64_t>(0);
  Tensor numbers_, labels_, images_;  // on the GPU
  std::unique_ptr<ops::Graph> graph_;
};

}  // namespace edmund
