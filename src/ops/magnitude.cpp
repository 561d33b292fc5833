#include "edmund/ops/magnitude.h"

#include "edmund/ops/random.h"
#include "fast.h"

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
  const auto wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  double elements = 1.0;
  for (const auto dim : dims) elements *= static_cast<double>(x.size(dim));
  const Tensor norm = at::linalg_vector_norm(x, 2, dims, /*keepdim=*/true, wide) / std::sqrt(elements) + kEps;
  return x / norm.to(x.scalar_type());
}

Tensor normalized_filters(const Tensor& weight) {
  std::vector<std::int64_t> dims(static_cast<std::size_t>(weight.dim()) - 1);
  std::iota(dims.begin(), dims.end(), 1);
  return normalized(weight, dims);
}

Tensor mp_silu(const Tensor& x) {
  const Timed timed([&] { return pass("mp_silu", x); });
  return at::silu(x) / kSiluDeviation;
}

Tensor mp_sum(const Tensor& a, const Tensor& b, double t) {
  const Timed timed([&] { return pass("mp_sum", a); });
  return at::lerp(a, b, t) / std::hypot(1.0 - t, t);
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
