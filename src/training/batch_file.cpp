#include "edmund/core/files.h"
#include "edmund/io/tensor_file.h"
#include "edmund/training/divergence.h"
#include "trainer_state.h"

#include <ATen/ops/tensor.h>
#include <map>
#include <string>

namespace edmund {
namespace {

const std::string kDrawn = "drawn.";

template <typename Number>
Tensor row(const std::vector<Number>& values) {
  return at::tensor(at::ArrayRef<Number>(values));
}

template <typename Number>
std::vector<Number> values_of(const Tensor& tensor) {
  const Tensor own = tensor.to(c10::CppTypeToScalarType<Number>::value).contiguous();
  return {own.const_data_ptr<Number>(), own.const_data_ptr<Number>() + own.numel()};
}

}  // namespace

void write_batch(const std::filesystem::path& file, const ExaminedBatch& batch) {
  const TrainingInputs inputs = each(batch.inputs, [](const Tensor& x) { return x.to(at::kCPU).contiguous(); });
  NamedTensors out = {{"images", inputs.images}, {"positions", inputs.positions}, {"loss", row(batch.losses)}};
  if (inputs.labels.defined()) out.emplace_back("labels", inputs.labels);
  if (inputs.augment.defined()) out.emplace_back("augment", inputs.augment);
  for (std::size_t i = 0; i < inputs.drawn.size(); ++i) out.emplace_back(format("{}{}", kDrawn, i), inputs.drawn[i]);
  out.emplace_back(batch.clock_name, row(batch.clock));
  if (!batch.images.empty()) out.emplace_back("image", row(batch.images));
  write_file(file, tensor_bytes(out, {{"edmund", "batch of a training"},
                                      {"clock", batch.clock_name},
                                      {"gradient_norm", format("{}", batch.gradient_norm)}}));
}

ExaminedBatch read_batch(const std::filesystem::path& path) {
  const TensorFile file = read_tensors(path);
  const auto optional = [&](const std::string& name) {
    const auto found = file.tensors.find(name);
    return found == file.tensors.end() ? Tensor() : found->second;
  };
  const auto clock = file.metadata.find("clock");
  ExaminedBatch out{.inputs = {.images = file.at("images"), .positions = file.at("positions")},
                    .losses = {},
                    .clock = {},
                    .clock_name = clock == file.metadata.end() ? "sigma" : clock->second};
  out.inputs.labels = optional("labels");
  out.inputs.augment = optional("augment");
  for (std::size_t i = 0; file.tensors.contains(format("{}{}", kDrawn, i)); ++i)
    out.inputs.drawn.push_back(file.at(format("{}{}", kDrawn, i)));
  const Tensor& positions = out.inputs.positions;
  require(positions.dim() == 1 && positions.scalar_type() == at::kLong && positions.numel() > 0,
          "{}: positions: expected int64 [B], found {} {}", path.string(), c10::toString(positions.scalar_type()),
          positions.sizes());
  const std::int64_t B = positions.size(0);
  require(out.inputs.images.dim() == 4, "{}: images: expected [B, C, H, W], found {}", path.string(),
          out.inputs.images.sizes());
  for (const auto& [name, tensor] : file.tensors)
    require(tensor.dim() > 0 && tensor.size(0) == B, "{}: {}: expected {} rows, one for each image, found {}",
            path.string(), name, B, tensor.sizes());
  if (const Tensor losses = optional("loss"); losses.defined()) out.losses = values_of<double>(losses);
  if (const Tensor places = optional(out.clock_name); places.defined()) out.clock = values_of<double>(places);
  if (const Tensor images = optional("image"); images.defined()) out.images = values_of<std::int64_t>(images);
  return out;
}

}  // namespace edmund
