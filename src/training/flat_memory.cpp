#include "flat_memory.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

namespace edmund {

FlatMemory::FlatMemory(const NamedTensors& parameters) : like_(parameters) {
  TORCH_CHECK(!parameters.empty(), "a model without parameters cannot be trained");
  const Tensor& first = parameters.front().second;
  for (const auto& [name, tensor] : parameters) {
    TORCH_CHECK(tensor.dtype() == first.dtype() && tensor.device() == first.device(), "parameter ", name,
                ": dtype or device differs from the others'");
    const std::int64_t step = 64 / static_cast<std::int64_t>(tensor.element_size());
    offsets_.push_back(length_);
    length_ += (tensor.numel() + step - 1) / step * step;
  }
}

Tensor FlatMemory::zeros() const { return at::zeros({length_}, like_.front().second.options().requires_grad(false)); }

NamedTensors FlatMemory::views(const Tensor& flat) const {
  NamedTensors out;
  for (std::size_t i = 0; i < like_.size(); ++i) {
    const auto& [name, tensor] = like_[i];
    out.emplace_back(name, flat.narrow(0, offsets_[i], tensor.numel()).view(tensor.sizes()));
  }
  return out;
}

void FlatMemory::adopt(NamedTensors& parameters, const Tensor& flat) const {
  const at::NoGradGuard no_grad;
  const NamedTensors parts = views(flat);
  TORCH_CHECK(parameters.size() == parts.size(), "expected ", parts.size(), " parameters, found ", parameters.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto& [name, tensor] = parameters[i];
    TORCH_CHECK(name == parts[i].first && tensor.sizes() == parts[i].second.sizes(), "parameter ", name,
                " does not fit ", parts[i].first);
    parts[i].second.copy_(tensor);
    tensor.set_data(parts[i].second);
  }
}

}  // namespace edmund
