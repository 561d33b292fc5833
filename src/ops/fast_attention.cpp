// attention on the CPU: each head of each image by itself, straight from the channels of qkv.
#include "fast_conv.h"
#include "parallel.h"

#include <algorithm>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <cmath>
#include <torch/csrc/autograd/custom_function.h>

namespace edmund::ops::cpu {
namespace {

// Head number `index` of all images.
Attention head(const Tensor& qkv, const Tensor& out, const Tensor& log_sums, std::int64_t heads, std::int64_t index) {
  const std::int64_t C = out.size(1), L = out.size(2) * out.size(3), d = C / heads;
  const std::int64_t image = index / heads, first = index % heads * d;
  return {.qkv = qkv.const_data_ptr<float>() + image * L * 3 * C + 3 * first,
          .row = 3 * C,
          .L = L,
          .d = d,
          .scale = 1.0F / std::sqrt(static_cast<float>(d)),
          .out = out.data_ptr<float>() + image * L * C + first,
          .out_row = C,
          .log_sums = log_sums.defined() ? log_sums.data_ptr<float>() + index * L : nullptr};
}

// The three of KernelTable, or in bfloat16.
struct AttentionKernels {
  decltype(KernelTable::attention_scratch) scratch = kernel_table().attention_scratch;
  decltype(KernelTable::attention) forward = kernel_table().attention;
  decltype(KernelTable::attention_backward) backward = kernel_table().attention_backward;
};

AttentionKernels attention_kernels() {
  const Bf16Kernels* pairs = chosen_multiply() == Multiply::kBfloat16 ? bf16_kernels() : nullptr;
  if (pairs == nullptr || pairs->attention == nullptr) return {};
  return {pairs->attention_scratch, pairs->attention, pairs->attention_backward};
}

Tensor forward(const Tensor& qkv, std::int64_t heads, const Tensor& log_sums) {
  const std::int64_t B = qkv.size(0), C = qkv.size(1) / 3, L = qkv.size(2) * qkv.size(3);
  const Tensor out = empty_image(B, C, qkv.size(2), qkv.size(3));
  const AttentionKernels kernels = attention_kernels();
  PixelTasks(B * heads, L).each([&](std::int64_t index, std::int64_t first, std::int64_t last) {
    kernels.forward(head(qkv, out, log_sums, heads, index), {first, last},
                    scratch(Scratch::kTiles, kernels.scratch(L, C / heads, false)));
  });
  return out;
}

class Function : public torch::autograd::Function<Function> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* ctx, const Tensor& input, std::int64_t heads) {
    const Tensor qkv = channels_last(input);
    const Tensor log_sums = at::empty({qkv.size(0) * heads, qkv.size(2) * qkv.size(3)}, at::kFloat);
    Tensor out = cpu::forward(qkv, heads, log_sums);
    ctx->save_for_backward({qkv, out, log_sums});
    ctx->saved_data["heads"] = heads;
    return out;
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list gradients) {
    const at::NoGradGuard no_grad;
    const auto saved = ctx->get_saved_variables();
    const Tensor &qkv = saved[0], &out = saved[1], &log_sums = saved[2], dout = channels_last(gradients[0]);
    const std::int64_t B = out.size(0), C = out.size(1), H = out.size(2), W = out.size(3);
    const std::int64_t heads = ctx->saved_data["heads"].toInt(), d = C / heads, L = H * W;
    const Timed timed([&] {
      OperatorTime time = described("attention backward", qkv, C);
      time.flops = 10.0 * static_cast<double>(B * C) * static_cast<double>(L) * static_cast<double>(L);
      return time;
    });
    const Tensor dqkv = empty_image(B, 3 * C, H, W);
    const float* from = dout.const_data_ptr<float>();
    float* to = dqkv.data_ptr<float>();
    const AttentionKernels kernels = attention_kernels();
    parallel_for(0, B * heads, 1, [&](std::int64_t begin, std::int64_t end) {
      float* memory = scratch(Scratch::kTiles, kernels.scratch(L, d, true));
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t at = i / heads * L * C + i % heads * d;
        kernels.backward(head(qkv, out, log_sums, heads, i), from + at, to + 3 * at, memory);
      }
    });
    return {dqkv, {}};
  }
};

}  // namespace

Tensor attention(const Tensor& qkv, std::int64_t heads) {
  if (wants_gradient({&qkv})) return Function::apply(qkv, heads);
  return forward(channels_last(qkv), heads, {});
}

}  // namespace edmund::ops::cpu
