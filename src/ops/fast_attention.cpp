// attention on the CPU: q, k and v taken apart in one pass, then ATen's flash attention, whose result already lies channels-last.
#include "cpu/kernels.h"
#include "fast.h"

#include <array>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

namespace edmund::ops::cpu {
namespace {

using Parts = std::array<Tensor, 3>;
constexpr std::int64_t kGrain = 64;  // pixels

// [B, 3C, H, W] → q, k, v [B, H·W, C].
Parts split(const Tensor& qkv) {
  const std::int64_t B = qkv.size(0), C = qkv.size(1) / 3, L = qkv.size(2) * qkv.size(3);
  const Tensor all = at::empty({3, B, L, C}, at::kFloat);
  const float* from = qkv.const_data_ptr<float>();
  float* to = all.data_ptr<float>();
  at::parallel_for(0, B * L, kGrain, [&](std::int64_t first, std::int64_t last) {
    float* q = to + first * C;
    kernel_table().split_qkv(from + first * 3 * C, last - first, C, q, q + B * L * C, q + 2 * B * L * C);
  });
  return {all[0], all[1], all[2]};
}

class Split : public torch::autograd::Function<Split> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* ctx, const Tensor& input) {
    ctx->saved_data["height"] = input.size(2);
    const auto parts = split(channels_last(input));
    // Views of one memory would be told of each other's changes; three tensors have none.
    return {parts[0].detach(), parts[1].detach(), parts[2].detach()};
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list gradients) {
    const at::NoGradGuard no_grad;
    const Tensor q = gradients[0].contiguous(), k = gradients[1].contiguous(), v = gradients[2].contiguous();
    const std::int64_t B = q.size(0), L = q.size(1), C = q.size(2), H = ctx->saved_data["height"].toInt();
    Tensor dx = empty_image(B, 3 * C, H, L / H);
    float* to = dx.data_ptr<float>();
    at::parallel_for(0, B * L, kGrain, [&](std::int64_t first, std::int64_t last) {
      const std::int64_t at = first * C;
      kernel_table().merge_qkv(q.const_data_ptr<float>() + at, k.const_data_ptr<float>() + at,
                               v.const_data_ptr<float>() + at, last - first, C, to + 3 * at);
    });
    return {dx};
  }
};

}  // namespace

Tensor attention(const Tensor& qkv, std::int64_t heads) {
  const std::int64_t B = qkv.size(0), C = qkv.size(1) / 3, H = qkv.size(2), W = qkv.size(3);
  Parts parts;
  if (wants_gradient({&qkv})) {
    const auto found = Split::apply(qkv);
    parts = {found[0], found[1], found[2]};
  } else {
    parts = split(channels_last(qkv));
  }
  for (auto& part : parts) part = part.view({B, H * W, heads, C / heads}).transpose(1, 2);  // [B, heads, L, d]
  const Tensor out = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  return out.transpose(1, 2).reshape({B, H, W, C}).permute({0, 3, 1, 2});
}

}  // namespace edmund::ops::cpu
