#pragma once

#include "edmund/core/philox.h"
#include "edmund/data/dataset.h"
#include "edmund/evaluation/inception.h"
#include "edmund/ops/random.h"
#include "support/formula_weights.h"

#include <ATen/ATen.h>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace edmund::testing {

/// Standard normal float64 [count, dims], a function of seed.
inline Tensor normal_rows(std::int64_t count, std::int64_t dims, std::uint64_t seed) {
  std::vector<std::int64_t> samples(static_cast<std::size_t>(count));
  std::iota(samples.begin(), samples.end(), 0);
  return ops::normal(seed, Stream::kEvaluation, samples, 1, {dims}, at::kDouble, at::kCPU);
}

/// A file of these layers with weights from a formula.
inline TensorFile inception_weights(const std::vector<InceptionLayer>& layers, const FormulaWeights& formula) {
  TensorFile file{.file = "formula"};
  for (const InceptionLayer& layer : layers) {
    const std::string conv = layer.name + ".conv.weight";
    file.tensors[conv] = formula.tensor(conv, {layer.out, layer.in, layer.height, layer.width}).to(at::kFloat);
    for (const char* part : {".bn.weight", ".bn.bias", ".bn.running_mean", ".bn.running_var"})
      file.tensors[layer.name + part] = formula.tensor(layer.name + part, {layer.out}).to(at::kFloat);
  }
  file.tensors["fc.weight"] = formula.tensor("fc.weight", {1008, 2048}).to(at::kFloat);
  return file;
}

/// Images in memory.
class MemoryDataset final : public Dataset {
 public:
  MemoryDataset(std::string name, Tensor images, Tensor labels, std::int64_t num_classes)
      : name_(std::move(name)), images_(std::move(images)), labels_(std::move(labels)), num_classes_(num_classes) {}
  DatasetInfo info() const override {
    return {name_, images_.size(0), images_.size(1), images_.size(2), images_.size(3), num_classes_, {}};
  }
  Batch read(std::span<const std::int64_t> indices) const override {
    const Tensor rows = at::tensor(std::vector<std::int64_t>(indices.begin(), indices.end()), at::kLong);
    return {images_.index_select(0, rows), labels_.index_select(0, rows)};
  }
  Batch all() const { return {images_, labels_}; }

 private:
  std::string name_;
  Tensor images_, labels_;
  std::int64_t num_classes_;
};

/// Three classes of noisy stripes of 8 x 8 pixels, of random phase: horizontal, vertical, diagonal.
inline MemoryDataset stripes(std::int64_t count, std::uint64_t seed, std::int64_t side = 8) {
  const Tensor noise = normal_rows(count, side * side + 1, seed);
  const Tensor images = at::empty({count, 1, side, side}, at::kByte), labels = at::arange(count) % 3;
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor y = at::arange(side, at::kDouble).view({side, 1}), x = y.view({1, side});
    const Tensor along = i % 3 == 0 ? y.expand({side, side}) : i % 3 == 1 ? x.expand({side, side}) : x + y;
    const Tensor wave = at::sin(along * (i % 3 == 2 ? 1.1 : 1.6) + 3.0 * noise[i][0].item<double>());
    const Tensor value = 127.5 + 70 * wave + 25 * noise[i].narrow(0, 1, side * side).view({side, side});
    images[i][0].copy_(value.clamp(0, 255));
  }
  return {"stripes", images, labels, 3};
}

}  // namespace edmund::testing
