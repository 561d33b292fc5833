#include "edmund/ops/tokens.h"

#include "edmund/ops/ops.h"

#include <ATen/ATen.h>

namespace edmund::ops {

Tensor layer_norm_modulate(const Tensor& x, const Tensor& shift, const Tensor& scale, double eps) {
  TORCH_CHECK(x.dim() == 3 && shift.defined() == scale.defined(), "layer_norm_modulate: tokens ", x.sizes(),
              ", expected [B, L, C], shift and scale both or neither");
  const Tensor n = at::layer_norm(x.to(at::promote_types(at::kFloat, x.scalar_type())), {x.size(2)}, {}, {}, eps);
  if (!shift.defined()) return n.to(x.scalar_type());
  TORCH_CHECK(shift.dim() == 2 && shift.size(1) == x.size(2) && shift.sizes() == scale.sizes(),
              "layer_norm_modulate: shift ", shift.sizes(), ", scale ", scale.sizes(), " for tokens ", x.sizes());
  return at::addcmul(shift.unsqueeze(1).to(n.scalar_type()), n, scale.unsqueeze(1) + 1).to(x.scalar_type());
}

Tensor gelu_tanh(const Tensor& x) { return at::gelu(x, "tanh"); }

Tensor token_attention(const Tensor& qkv, std::int64_t heads) {
  TORCH_CHECK(qkv.dim() == 3 && heads > 0 && qkv.size(2) % (3 * heads) == 0, "token_attention: ", qkv.sizes(),
              " does not split into ", heads, " heads");
  const std::int64_t B = qkv.size(0), L = qkv.size(1), C = qkv.size(2) / 3;
  // As an image of L×1 pixels in the channel order of attention(), whose kernels serve both; the
  // memory is that of channels last, which they read without another copy.
  const Tensor image = qkv.reshape({B, L, 3, C}).transpose(2, 3).reshape({B, L, 1, 3 * C}).permute({0, 3, 1, 2});
  return attention(image, heads).squeeze(3).transpose(1, 2);
}

}  // namespace edmund::ops
