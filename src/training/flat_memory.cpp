#include "flat_memory.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_copy.h>
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

std::vector<ops::GradientPiece> FlatMemory::pieces(const std::vector<Tensor>& parts) const {
  TORCH_CHECK(parts.size() == like_.size(), "expected ", like_.size(), " gradients, found ", parts.size());
  std::vector<ops::GradientPiece> out;
  for (std::size_t i = 0; i < parts.size(); ++i) out.push_back({offsets_[i], parts[i]});
  return out;
}

Tensor FlatMemory::joined(const std::vector<ops::GradientPiece>& pieces) const {
  const at::NoGradGuard no_grad;
  const Tensor flat = zeros();
  std::vector<Tensor> targets, parts;
  for (const auto& [first, values] : pieces) {
    targets.push_back(flat.narrow(0, first, values.numel()));
    parts.push_back(values.view(-1));
  }
  at::_foreach_copy_(targets, parts);
  return flat;
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
