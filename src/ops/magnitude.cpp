#include "edmund/ops/magnitude.h"

#include "autograd.h"
#include "edmund/ops/random.h"
#include "fast.h"
#include "packed_weights.h"

#include <ATen/ATen.h>
#include <cmath>
#include <numeric>
#include <string>

namespace edmund::ops {
namespace {

constexpr double kEps = 1e-4;
constexpr double kSiluDeviation = 0.596;  // of silu(x), x ~ N(0, 1)

// The profile's entry for one pass over x, whatever its dimensions.
OperatorTime pass(std::string_view name, const Tensor& x) {
  return {.name = std::string(name),
          .bytes = 2.0 * static_cast<double>(x.numel()) * static_cast<double>(x.element_size())};
}

}  // namespace

Tensor normalized(const Tensor& x, at::IntArrayRef dims) {
  const Timed timed([&] { return pass("normalize", x); });
  if (fast(x) && x.dim() == 4 && dims == at::IntArrayRef{1}) return cpu::unit_pixels(x);
  const auto wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  double elements = 1.0;
  for (const auto dim : dims) elements *= static_cast<double>(x.size(dim));
  const Tensor norm = at::linalg_vector_norm(x, 2, dims, /*keepdim=*/true, wide) / std::sqrt(elements) + kEps;
  return x / norm.to(x.scalar_type());
}

Tensor normalized_filters(const Tensor& weight, double gain) {
  if (fast(weight)) {
    if (wants_gradient({&weight})) return cpu::unit_filters(weight, gain);
    return cpu::kept_filters(weight, gain);
  }
  std::vector<std::int64_t> dims(static_cast<std::size_t>(weight.dim()) - 1);
  std::iota(dims.begin(), dims.end(), 1);
  const Tensor unit = normalized(weight, dims);
  return gain == 1.0 ? unit : unit * gain;
}

Tensor normalized_heads(const Tensor& qkv, std::int64_t heads) {
  TORCH_CHECK(qkv.dim() == 4 && heads > 0 && qkv.size(1) % (3 * heads) == 0, "normalized_heads: ", qkv.sizes(),
              " does not split into ", heads, " heads");
  const Timed timed([&] { return pass("normalize", qkv); });
  if (fast(qkv)) return cpu::unit_heads(qkv, heads);
  const std::int64_t d = qkv.size(1) / (3 * heads), pixels = qkv.size(2) * qkv.size(3);
  return normalized(qkv.reshape({qkv.size(0), heads, d, 3, pixels}), {2}).reshape(qkv.sizes());
}

Tensor mp_silu(const Tensor& x, const Tensor& scale) {
  TORCH_CHECK(!scale.defined() ||
                  (x.dim() == 4 && scale.dim() == 2 && scale.size(0) == x.size(0) && scale.size(1) == x.size(1)),
              "mp_silu: scale for x ", x.sizes());
  const Timed timed([&] { return pass("mp_silu", x); });
  if (fast(x) && x.dim() == 4) return cpu::mp_silu(x, scale);
  return at::silu(scale.defined() ? x * scale.unsqueeze(2).unsqueeze(3) : x) / kSiluDeviation;
}

Tensor mp_sum(const Tensor& a, const Tensor& b, double t) {
  const Timed timed([&] { return pass("mp_sum", a); });
  const double norm = std::hypot(1.0 - t, t);
  if (fast(a) && fast(b) && a.dim() == 4 && a.sizes() == b.sizes()) return cpu::blend(a, (1.0 - t) / norm, b, t / norm);
  return at::lerp(a, b, t) / norm;
}

Tensor mp_concat(const Tensor& a, const Tensor& b, double t) {
  const auto of_a = static_cast<double>(a.size(1)), of_b = static_cast<double>(b.size(1));
  const double common = std::sqrt(of_a + of_b) / std::hypot(1.0 - t, t);
  return concat(a * (common * (1.0 - t) / std::sqrt(of_a)), b * (common * t / std::sqrt(of_b)));
}

Tensor dropout(const Tensor& x, double p, const DropoutKey* key, std::uint32_t layer) {
  TORCH_CHECK(p >= 0.0 && p < 1.0, "dropout: ", p);
  if (key == nullptr || p == 0.0) return x;
  const Tensor samples =
      key->positions.defined() ? key->positions : at::tensor(at::ArrayRef<std::int64_t>(key->samples)).to(x.device());
  TORCH_CHECK(samples.size(0) == x.size(0), "dropout: ", samples.size(0), " keys for a batch of ", x.size(0));
  // Normal draws are those that every device makes without waiting; the share p of them lies below
  // the quantile of p.
  const double quantile = at::special_ndtri(at::full({1}, p, at::kDouble)).item<double>();
  const Tensor draws = normal({key->seed, Stream::kDropout, samples, layer, at::kFloat}, x.sizes().slice(1));
  return x * draws.ge(quantile).to(x.scalar_type()).mul_(1.0 / (1.0 - p));
}

}  // namespace edmund::ops
