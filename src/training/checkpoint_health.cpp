#include "checkpoint_files.h"
#include "edmund/core/format.h"
#include "edmund/training/checkpoint.h"

#include <ATen/ops/aminmax.h>
#include <cmath>

namespace edmund {
namespace {

bool is_finite(const Tensor& tensor) {
  if (!tensor.is_floating_point() || tensor.numel() == 0) return true;
  const auto [low, high] = at::aminmax(tensor.detach());  // NaN if there is one
  return std::isfinite(low.item<double>()) && std::isfinite(high.item<double>());
}

}  // namespace

std::string nonfinite_tensor(const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors)
    if (!is_finite(tensor)) return name;
  return "";
}

std::string nonfinite_tensor(const Checkpoint& checkpoint) {
  const std::pair<const char*, const NamedTensors*> parts[] = {
      {"network", &checkpoint.network}, {"ema", &checkpoint.ema}, {"optimizer", &checkpoint.optimizer}};
  for (const auto& [part, tensors] : parts)
    if (const std::string name = nonfinite_tensor(*tensors); !name.empty()) return format("{} of {}", name, part);
  return "";
}

std::optional<std::filesystem::path> newest_healthy_checkpoint(const std::filesystem::path& run) {
  for (const auto& folder : checkpoint_files::listed(run / "checkpoints"))
    if (checkpoint_files::fault(folder) == "") return folder;
  return std::nullopt;
}

}  // namespace edmund
