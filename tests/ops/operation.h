#pragma once

#include "edmund/core/tensor.h"
#include "edmund/ops/ops.h"

#include <array>
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

/// Numbers without a pattern that a mistake could share, in double precision.
inline Tensor pattern(at::IntArrayRef shape, double phase = 0.0) {
  std::int64_t n = 1;
  for (const auto size : shape) n *= size;
  const Tensor i = at::arange(n, at::kDouble);
  return (at::sin(i * 0.71 + phase) + at::cos(i * i * 0.013 + phase)).reshape(shape);
}

/// Largest difference, relative to the largest exact value.
inline double gap(const Tensor& a, const Tensor& exact) {
  return ((a.cpu().to(at::kDouble) - exact).abs().max() / exact.abs().max().clamp_min(1e-30)).item<double>();
}

using Operation = std::function<Tensor(const std::vector<Tensor>&)>;

/// A normalization of [B, C, H, W] with what follows it, in groups of four channels if they divide
/// C.
struct NormCase {
  std::array<std::int64_t, 4> shape;
  bool silu = true, adaptive = false;
  double dropout = 0.0, mean = 0.0;  // of x
};
inline std::vector<Tensor> inputs_of(const NormCase& norm) {
  const auto [B, C, H, W] = norm.shape;
  std::vector<Tensor> inputs{random({B, C, H, W}, 1) + norm.mean, random({C}, 2), random({C}, 3)};
  if (norm.adaptive)
    for (const std::int64_t seed : {4, 5}) inputs.push_back(random({B, C}, seed));
  return inputs;
}
inline Operation operation_of(const NormCase& norm) {
  ops::DropoutKey key{.seed = 5};
  for (std::int64_t i = 0; i < norm.shape[0]; ++i) key.samples.push_back(i * (std::int64_t{1} << 35) + 7);
  return [norm, key](const std::vector<Tensor>& in) {
    const std::int64_t C = norm.shape[1];
    return ops::group_norm_silu(in[0], {.groups = C % 4 == 0   ? C / 4
                                                  : C % 3 == 0 ? 3
                                                               : 1,
                                        .weight = in[1],
                                        .bias = in[2],
                                        .scale = norm.adaptive ? in[3] : Tensor(),
                                        .shift = norm.adaptive ? in[4] : Tensor(),
                                        .silu = norm.silu,
                                        .dropout = norm.dropout,
                                        .key = &key,
                                        .layer = 3});
  };
}

/// A step that uses all that an optimizer's step offers.
inline ops::AdamStep adam_step() {
  return {.learning_rate = 3e-2,
          .beta1 = 0.8,
          .beta2 = 0.95,
          .weight_decay = 0.05,
          .step = 3,
          .zero_nonfinite = true,
          .gradient_scale = 0.5,
          .ema_beta = {0.1, 0.9}};
}

/// In this precision and on this device: the result, all gradients of a weighted sum of it, and the
/// result without autograd. Inputs may be undefined.
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
