#pragma once

#include "edmund/core/tensor.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <ATen/CPUGeneratorImpl.h>
#include <functional>
#include <vector>

/// What the tests share that hold one backend of the operators against another.
namespace edmund::testing {

/// Normal numbers in double precision.
inline Tensor random(at::IntArrayRef shape, std::int64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<std::uint64_t>(seed));
  return at::randn(shape, generator, at::kDouble);
}

/// Largest difference, relative to the largest exact value.
inline double gap(const Tensor& a, const Tensor& exact) {
  return ((a.cpu().to(at::kDouble) - exact).abs().max() / exact.abs().max().clamp_min(1e-30)).item<double>();
}

using Operation = std::function<Tensor(const std::vector<Tensor>&)>;

/// In this precision and on this device: the result, all gradients of a weighted sum of it, and the result without autograd. Inputs may be undefined.
inline std::vector<Tensor> results(const Operation& operation, const std::vector<Tensor>& inputs,
                                   const at::TensorOptions& options) {
  std::vector<Tensor> leaves;
  for (const auto& input : inputs)
    leaves.push_back(input.defined() ? input.to(options).detach().clone().requires_grad_() : Tensor());
  const Tensor y = operation(leaves);
  (y * random(y.sizes(), 99).to(options)).sum().backward();
  std::vector<Tensor> out{y.detach()};
  for (const auto& leaf : leaves)
    if (leaf.defined()) out.push_back(leaf.grad());
  const at::NoGradGuard no_grad;
  out.push_back(operation(leaves));
  return out;
}

}  // namespace edmund::testing
