// Operators of transformers on the CPU, a pass over memory each. Tokens are [B, L, C].
#include "cpu/kernels.h"
#include "fast.h"
#include "parallel.h"

#include <algorithm>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

namespace edmund::ops::cpu {
namespace {

using Context = torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Maybe = std::optional<Tensor>;

constexpr std::int64_t kNumbersOfTask = 16'384;  // fewer are not worth a thread's start

const float* row_of(const Tensor& rows, std::int64_t image) {
  return rows.defined() ? rows.const_data_ptr<float>() + image * rows.size(1) : nullptr;
}

Tensor normalize(const Tensor& x, const Tensor& shift, const Tensor& scale, float eps, const Tensor& statistics) {
  const std::int64_t B = x.size(0), L = x.size(1), C = x.size(2);
  Tensor y = at::empty_like(x);
  const float* from = x.const_data_ptr<float>();
  float *to = y.data_ptr<float>(), *kept = statistics.defined() ? statistics.data_ptr<float>() : nullptr;
  PixelTasks(B, L).each([&](std::int64_t image, std::int64_t first, std::int64_t last) {
    const std::int64_t row = image * L + first;
    kernel_table().row_norm({.x = from + row * C,
                             .y = to + row * C,
                             .rows = last - first,
                             .C = C,
                             .eps = eps,
                             .scale = row_of(scale, image),
                             .shift = row_of(shift, image),
                             .mean = kept != nullptr ? kept + row : nullptr,
                             .rstd = kept != nullptr ? kept + B * L + row : nullptr});
  });
  return y;
}

class LayerNorm : public torch::autograd::Function<LayerNorm> {
 public:
  static Tensor forward(Context* ctx, const Tensor& input, const Maybe& shifts, const Maybe& scales, double eps) {
    const Tensor x = input.contiguous(), shift = plain(shifts.value_or(Tensor())),
                 scale = plain(scales.value_or(Tensor()));
    const Tensor statistics = at::empty({2, x.size(0), x.size(1)}, at::kFloat);
    Tensor y = normalize(x, shift, scale, static_cast<float>(eps), statistics);
    ctx->save_for_backward({x, scale, statistics});
    return y;
  }
  static variable_list backward(Context* ctx, variable_list gradients) {
    const at::NoGradGuard no_grad;
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &scale = saved[1], dy = gradients[0].contiguous();
    const std::int64_t B = x.size(0), L = x.size(1), C = x.size(2);
    Tensor dx = at::empty_like(x);
    const PixelTasks tasks(B, L);
    const ImageSums of_scale(B, tasks, C), of_shift(B, tasks, C);
    const float *from = x.const_data_ptr<float>(), *of_y = dy.const_data_ptr<float>();
    float *to = dx.data_ptr<float>(), *kept = const_cast<float*>(saved[2].const_data_ptr<float>());
    tasks.each_share([&](std::int64_t image, std::int64_t share, std::int64_t first, std::int64_t last) {
      const std::int64_t row = image * L + first;
      kernel_table().row_norm_backward({.x = from + row * C,
                                        .y = to + row * C,
                                        .rows = last - first,
                                        .C = C,
                                        .scale = row_of(scale, image),
                                        .mean = kept + row,
                                        .rstd = kept + B * L + row},
                                       of_y + row * C, scale.defined() ? of_scale.row(image, share) : nullptr,
                                       of_shift.row(image, share));
    });
    if (!scale.defined()) return {dx, {}, {}, {}};
    return {dx, of_shift.added(), of_scale.added(), {}};
  }
};

// pass(first, last) over numbers of which each is a task's own.
template <typename Pass>
void over_numbers(std::int64_t size, const Pass& pass) {
  parallel_for(0, size, kNumbersOfTask, [&](std::int64_t first, std::int64_t last) { pass(first, last); });
}

Tensor activated(const Tensor& x) {
  Tensor y = at::empty_like(x);
  const float* from = x.const_data_ptr<float>();
  float* to = y.data_ptr<float>();
  over_numbers(x.numel(), [&](std::int64_t first, std::int64_t last) {
    kernel_table().gelu(from + first, to + first, last - first);
  });
  return y;
}

class Gelu : public torch::autograd::Function<Gelu> {
 public:
  static Tensor forward(Context* ctx, const Tensor& input) {
    const Tensor x = input.contiguous();
    ctx->save_for_backward({x});
    return activated(x);
  }
  static variable_list backward(Context* ctx, variable_list gradients) {
    const at::NoGradGuard no_grad;
    const Tensor x = ctx->get_saved_variables()[0], dy = gradients[0].contiguous();
    Tensor dx = at::empty_like(x);
    const float *from = x.const_data_ptr<float>(), *of_y = dy.const_data_ptr<float>();
    float* to = dx.data_ptr<float>();
    over_numbers(x.numel(), [&](std::int64_t first, std::int64_t last) {
      kernel_table().gelu_backward(from + first, of_y + first, to + first, last - first);
    });
    return {dx};
  }
};

Tensor gated(const Tensor& h, const Tensor& gate, const Tensor& x) {
  const std::int64_t B = x.size(0), L = x.size(1), C = x.size(2);
  Tensor y = at::empty_like(x);
  const float *left = h.const_data_ptr<float>(), *right = x.const_data_ptr<float>();
  float* to = y.data_ptr<float>();
  PixelTasks(B, L).each([&](std::int64_t image, std::int64_t first, std::int64_t last) {
    const std::int64_t at = (image * L + first) * C;
    kernel_table().gated(left + at, right + at, row_of(gate, image), to + at, last - first, C);
  });
  return y;
}

class Gated : public torch::autograd::Function<Gated> {
 public:
  static Tensor forward(Context* ctx, const Tensor& h, const Tensor& gates, const Tensor& input) {
    const Tensor gate = gates.contiguous(), x = input.contiguous();
    ctx->save_for_backward({gate, x});
    return gated(h.contiguous(), gate, x);
  }
  static variable_list backward(Context* ctx, variable_list gradients) {
    const at::NoGradGuard no_grad;
    const auto saved = ctx->get_saved_variables();
    const Tensor &gate = saved[0], &x = saved[1], dy = gradients[0].contiguous();
    const std::int64_t B = x.size(0), L = x.size(1), C = x.size(2);
    Tensor dx = at::empty_like(x);
    const PixelTasks tasks(B, L);
    const ImageSums of_gate(B, tasks, C);
    const float *from = x.const_data_ptr<float>(), *of_y = dy.const_data_ptr<float>();
    float* to = dx.data_ptr<float>();
    tasks.each_share([&](std::int64_t image, std::int64_t share, std::int64_t first, std::int64_t last) {
      const std::int64_t at = (image * L + first) * C;
      kernel_table().gated_backward(from + at, row_of(gate, image), of_y + at, to + at, of_gate.row(image, share),
                                    last - first, C);
    });
    return {dy, of_gate.added(), dx};
  }
};

}  // namespace

Tensor layer_norm_modulate(const Tensor& x, const Tensor& shift, const Tensor& scale, double eps) {
  if (wants_gradient({&x, &shift, &scale})) return LayerNorm::apply(x, if_defined(shift), if_defined(scale), eps);
  return normalize(x.contiguous(), plain(shift), plain(scale), static_cast<float>(eps), {});
}

Tensor gelu_tanh(const Tensor& x) { return wants_gradient({&x}) ? Gelu::apply(x) : activated(x.contiguous()); }

Tensor gated_sum(const Tensor& h, const Tensor& gate, const Tensor& x) {
  if (wants_gradient({&h, &gate, &x})) return Gated::apply(h, gate, x);
  return gated(h.contiguous(), gate.contiguous(), x.contiguous());
}

}  // namespace edmund::ops::cpu
