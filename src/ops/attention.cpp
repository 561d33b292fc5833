#include "edmund/ops/ops.h"
#include "fast.h"

#include <algorithm>
#include <ATen/ops/bmm.h>
#include <ATen/ops/softmax.h>
#include <cmath>

namespace edmund::ops {

Tensor attention(const Tensor& qkv, std::int64_t heads) {
  TORCH_CHECK(qkv.dim() == 4 && heads > 0 && qkv.size(1) % (3 * heads) == 0, "attention: ", qkv.sizes(),
              " does not split into ", heads, " heads");
  const Timed timed([&] {
    OperatorTime out = described("attention", qkv, qkv.size(1) / 3);
    const auto L = static_cast<double>(qkv.size(2) * qkv.size(3));
    out.flops = 4.0 * static_cast<double>(qkv.size(0) * qkv.size(1) / 3) * L * L;
    return out;
  });
  if (fast(qkv)) return cpu::attention(qkv, heads);
  if (const auto* gpu = fast_cuda(qkv)) return gpu->attention(qkv, heads);
  const std::int64_t B = qkv.size(0), d = qkv.size(1) / (3 * heads), L = qkv.size(2) * qkv.size(3);
  const auto parts = qkv.reshape({B * heads, d, 3, L}).unbind(2);  // q, k, v [B·heads, d, L]
  const auto dtype = qkv.scalar_type();
  const auto wide = dtype == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor q = parts[0].to(wide), k = (parts[1] / std::sqrt(static_cast<double>(d))).to(wide);
  // [B·heads, L queries, L keys]
  const Tensor w = at::softmax(at::bmm(q.transpose(1, 2), k), 2).to(dtype);
  return at::bmm(parts[2], w.transpose(1, 2)).reshape({B, heads * d, qkv.size(2), qkv.size(3)});
}

}  // namespace edmund::ops
