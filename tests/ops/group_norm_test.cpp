#include "edmund/ops/ops.h"
#include "operation.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <cmath>
#include <vector>

using namespace edmund;
using testing::pattern;

namespace {

double gap(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

ops::DropoutKey key(std::vector<std::int64_t> samples) { return {.seed = 11, .samples = std::move(samples)}; }

// Dropout alone: the norm of a constant image is its bias 1, without SiLU.
Tensor mask(const ops::DropoutKey& key, double p, std::uint32_t layer = 0, std::int64_t size = 40) {
  const auto B = static_cast<std::int64_t>(key.samples.size());
  const Tensor x = at::zeros({B, 4, size, size});
  return ops::group_norm_silu(x, {.groups = 1,
                                  .weight = at::zeros({4}),
                                  .bias = at::ones({4}),
                                  .silu = false,
                                  .dropout = p,
                                  .key = &key,
                                  .layer = layer});
}

}  // namespace

TEST_CASE("group_norm_silu equals mean, variance, affine, scale and shift, and SiLU written out", "[ops]") {
  const std::int64_t groups = GENERATE(1, 2, 6);
  const Tensor x = pattern({3, 6, 4, 5}), w = pattern({6}, 1.0), b = pattern({6}, 2.0), scale = pattern({3, 6}, 3.0),
               shift = pattern({3, 6}, 4.0);
  const Tensor g = x.reshape({3, groups, -1}), centered = g - g.mean(2, true);
  const Tensor normal =
      (centered / (centered.square().mean(2, true) + 1e-3).sqrt()).reshape(x.sizes()) * w.reshape({1, 6, 1, 1}) +
      b.reshape({1, 6, 1, 1});
  CHECK(gap(ops::group_norm_silu(x, {.groups = groups, .eps = 1e-3, .weight = w, .bias = b, .silu = false}), normal) <
        1e-13);
  CHECK(gap(ops::group_norm_silu(x, {.groups = groups, .eps = 1e-3, .weight = w, .bias = b}),
            normal / (1 + (-normal).exp())) < 1e-13);
  const Tensor adapted = normal * (1 + scale.reshape({3, 6, 1, 1})) + shift.reshape({3, 6, 1, 1});
  CHECK(gap(ops::group_norm_silu(
                x, {.groups = groups, .eps = 1e-3, .weight = w, .bias = b, .scale = scale, .shift = shift}),
            adapted / (1 + (-adapted).exp())) < 1e-13);
}

TEST_CASE("Half precision is normalized in float32", "[ops]") {
  const Tensor x = (pattern({2, 8, 16, 16}) + 300).to(at::kBFloat16), one = at::ones({8}, at::kBFloat16),
               zero = at::zeros({8}, at::kBFloat16);
  const Tensor out = ops::group_norm_silu(x, {.groups = 2, .weight = one, .bias = zero, .silu = false});
  CHECK(out.scalar_type() == at::kBFloat16);
  const Tensor exact = ops::group_norm_silu(
      x.to(at::kDouble), {.groups = 2, .weight = one.to(at::kDouble), .bias = zero.to(at::kDouble), .silu = false});
  // half a unit in the last of 8 bits of numbers below 4
  CHECK(gap(out.to(at::kDouble), exact) < 0.02);
}

TEST_CASE("Dropout drops the stated share and keeps the mean", "[ops]") {
  const double p = GENERATE(0.0, 0.13, 0.5, 0.9);
  const Tensor y = mask(key({1, 2, 3, 4}), p);
  const double n = static_cast<double>(y.numel()), dropped = (y == 0).to(at::kDouble).mean().item<double>();
  CHECK(std::abs(dropped - p) <= 5 * std::sqrt(p * (1 - p) / n));
  const Tensor kept = y.masked_select(y != 0);
  CHECK(gap(kept, at::full_like(kept, 1 / (1 - p))) < 1e-5 / (1 - p));
}

TEST_CASE("Dropout is a function of sample and layer, whatever the batch", "[ops]") {
  const Tensor together = mask(key({5, 6, 7, 8}), 0.3, 2);
  CHECK(mask(key({5}), 0.3, 2)[0].equal(together[0]));
  CHECK(at::cat({mask(key({5, 6}), 0.3, 2), mask(key({7, 8}), 0.3, 2)}).equal(together));
  CHECK(mask(key({8, 5}), 0.3, 2)[1].equal(together[0]));
  CHECK_FALSE(together[0].equal(together[1]));
  CHECK_FALSE(mask(key({5, 6, 7, 8}), 0.3, 3).equal(together));
}

TEST_CASE("Dropout needs a key, and one position for each image", "[ops]") {
  const Tensor x = pattern({2, 4, 3, 3}), w = at::ones({4}, at::kDouble), b = at::zeros({4}, at::kDouble);
  const Tensor plain = ops::group_norm_silu(x, {.groups = 1, .weight = w, .bias = b});
  CHECK(ops::group_norm_silu(x, {.groups = 1, .weight = w, .bias = b, .dropout = 0.5}).equal(plain));
  const auto one = key({1});
  CHECK_THROWS(ops::group_norm_silu(x, {.groups = 1, .weight = w, .bias = b, .dropout = 0.5, .key = &one}));
}

TEST_CASE("The gradient passes dropout where the value does", "[ops]") {
  const auto k = key({3, 4});
  const Tensor x = pattern({2, 4, 6, 6}).requires_grad_(), w = at::ones({4}, at::kDouble),
               b = at::zeros({4}, at::kDouble).requires_grad_();
  const Tensor y =
      ops::group_norm_silu(x, {.groups = 2, .weight = w, .bias = b, .silu = false, .dropout = 0.4, .key = &k});
  y.sum().backward();
  // d/db of each kept element is 1/(1-p)
  CHECK(gap(b.grad(), (y != 0).to(at::kDouble).sum({0, 2, 3}) / 0.6) < 1e-10);
}
