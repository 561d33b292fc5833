#include "edmund/ops/tokens.h"

#include "edmund/ops/ops.h"
#include "fast.h"

#include <ATen/ATen.h>
#include <string>

namespace edmund::ops {
namespace {

// The profile's entry for a pass over tokens or their activations.
OperatorTime pass(std::string_view name, const Tensor& x) {
  return {.name = std::string(name),
          .bytes = 2.0 * static_cast<double>(x.numel()) * static_cast<double>(x.element_size())};
}

void check_rows(std::string_view name, const Tensor& tokens, const Tensor& rows) {
  TORCH_CHECK(rows.dim() == 2 && rows.size(0) == tokens.size(0) && rows.size(1) == tokens.size(2), std::string(name),
              ": rows ", rows.sizes(), " for tokens ", tokens.sizes());
}

}  // namespace

Tensor layer_norm_modulate(const Tensor& x, const Tensor& shift, const Tensor& scale, double eps) {
  TORCH_CHECK(x.dim() == 3 && shift.defined() == scale.defined(), "layer_norm_modulate: tokens ", x.sizes(),
              ", expected [B, L, C], shift and scale both or neither");
  if (shift.defined()) check_rows("layer_norm_modulate", x, shift), check_rows("layer_norm_modulate", x, scale);
  const Timed timed([&] { return pass("layer norm", x); });
  if (fast(x)) return cpu::layer_norm_modulate(x, shift, scale, eps);
  const Tensor n = at::layer_norm(x.to(at::promote_types(at::kFloat, x.scalar_type())), {x.size(2)}, {}, {}, eps);
  if (!shift.defined()) return n.to(x.scalar_type());
  return at::addcmul(shift.unsqueeze(1).to(n.scalar_type()), n, scale.unsqueeze(1) + 1).to(x.scalar_type());
}

Tensor gelu_tanh(const Tensor& x) {
  const Timed timed([&] { return pass("gelu", x); });
  return fast(x) ? cpu::gelu_tanh(x) : at::gelu(x, "tanh");
}

Tensor gated_sum(const Tensor& h, const Tensor& gate, const Tensor& x) {
  TORCH_CHECK(x.dim() == 3 && h.sizes() == x.sizes(), "gated_sum: tokens ", h.sizes(), " and ", x.sizes());
  check_rows("gated_sum", x, gate);
  const Timed timed([&] { return pass("gated sum", x); });
  return fast(x) && fast(h) ? cpu::gated_sum(h, gate.to(at::kFloat), x) : h + gate.unsqueeze(1) * x;
}

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
