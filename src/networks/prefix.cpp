#include "edmund/networks/prefix.h"

#include <ATen/ATen.h>
#include <cmath>

namespace edmund {

AttentionPrefix::AttentionPrefix(const Tensor& key, const Tensor& value, double strength) : strength_(strength) {
  TORCH_CHECK(key.dim() == 2 && key.sizes() == value.sizes(), "AttentionPrefix: keys ", key.sizes(), ", values ",
              value.sizes(), ", expected [tokens, width] twice");
  key_ = register_parameter("key", key);
  value_ = register_parameter("value", value);
}

Tensor AttentionPrefix::found(const Tensor& q) const {
  const std::int64_t heads = q.size(1), c = q.size(3), T = key_.size(0);
  const auto split = [&](const Tensor& x) { return x.to(q.scalar_type()).reshape({T, heads, c}).transpose(0, 1); };
  const Tensor scores = at::matmul(q, split(key_).transpose(1, 2)) / std::sqrt(static_cast<double>(c));
  return strength_ * at::matmul(scores.softmax(3), split(value_));  // [B, heads, L, c]
}

Tensor AttentionPrefix::attended(const Tensor& qkv, std::int64_t heads) const {
  const std::int64_t B = qkv.size(0), C = qkv.size(1) / 3, H = qkv.size(2), W = qkv.size(3);
  const Tensor q = qkv.reshape({B, heads, C / heads, 3, H * W}).select(3, 0).transpose(2, 3);
  return found(q).transpose(2, 3).reshape({B, C, H, W});
}

Tensor AttentionPrefix::attended_tokens(const Tensor& qkv, std::int64_t heads) const {
  const std::int64_t B = qkv.size(0), L = qkv.size(1), C = qkv.size(2) / 3;
  const Tensor q = qkv.narrow(2, 0, C).reshape({B, L, heads, C / heads}).transpose(1, 2);
  return found(q).transpose(1, 2).reshape({B, L, C});
}

}  // namespace edmund
