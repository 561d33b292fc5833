#include "edmund/ops/ops.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <cmath>
#include <vector>

using namespace edmund;

namespace {

Tensor pattern(at::IntArrayRef shape, double phase) {
  std::int64_t n = 1;
  for (const auto size : shape) n *= size;
  const Tensor i = at::arange(n, at::kDouble);
  return (at::sin(i * 0.71 + phase) + at::cos(i * i * 0.013 + phase)).reshape(shape);
}

}  // namespace

TEST_CASE("attention is the weighted mean of v, weights softmax of q·k/√d, head by head", "[ops]") {
  const std::int64_t heads = GENERATE(1, 2, 3);
  const std::int64_t B = 2, d = 2, H = 3, W = 2, C = heads * d, L = H * W;
  const Tensor qkv = pattern({B, 3 * C, H, W}, 0.3), out = ops::attention(qkv, heads);
  REQUIRE(out.sizes() == at::IntArrayRef{B, C, H, W});
  const auto in = qkv.reshape({B, heads, d, 3, L});
  const auto a = in.accessor<double, 5>();
  const Tensor flat = out.reshape({B, heads, d, L});
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t h = 0; h < heads; ++h)
      for (std::int64_t query = 0; query < L; ++query) {
        std::vector<double> weight;
        double sum = 0;
        for (std::int64_t key = 0; key < L; ++key) {
          double score = 0;
          for (std::int64_t c = 0; c < d; ++c) score += a[b][h][c][0][query] * a[b][h][c][1][key];
          weight.push_back(std::exp(score / std::sqrt(static_cast<double>(d))));
          sum += weight.back();
        }
        for (std::int64_t c = 0; c < d; ++c) {
          double mean = 0;
          for (std::int64_t key = 0; key < L; ++key)
            mean += weight[static_cast<std::size_t>(key)] / sum * a[b][h][c][2][key];
          REQUIRE(std::abs(flat[b][h][c][query].item<double>() - mean) < 1e-14);
        }
      }
}

TEST_CASE("attention keeps its input's type and stays near the exact values", "[ops]") {
  const Tensor qkv = pattern({2, 24, 4, 4}, 0.1), exact = ops::attention(qkv, 2);
  const Tensor single = ops::attention(qkv.to(at::kFloat), 2);
  CHECK(single.scalar_type() == at::kFloat);
  CHECK((single - exact).abs().max().item<double>() < 1e-5);
  const Tensor half = ops::attention(qkv.to(at::kBFloat16), 2);
  CHECK(half.scalar_type() == at::kBFloat16);
  CHECK((half - exact).abs().max().item<double>() < 0.05);
}

TEST_CASE("The gradient of attention equals differences", "[ops]") {
  const Tensor x = pattern({1, 6, 2, 2}, 0.7).requires_grad_(), w = pattern({1, 2, 2, 2}, 2.0);
  (ops::attention(x, 1) * w).sum().backward();
  const double h = 1e-6;
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const Tensor step = at::zeros(x.numel(), at::kDouble);
    step[i] = h;
    const Tensor e = step.reshape(x.sizes());
    const double slope =
        ((ops::attention(x.detach() + e, 1) - ops::attention(x.detach() - e, 1)) * w).sum().item<double>() / (2 * h);
    REQUIRE(std::abs(x.grad().flatten()[i].item<double>() - slope) < 1e-8);
  }
}

TEST_CASE("attention refuses channels that do not split into its heads", "[ops]") {
  CHECK_THROWS(ops::attention(at::zeros({1, 8, 2, 2}), 1));
  CHECK_THROWS(ops::attention(at::zeros({1, 6, 2, 2}), 4));
}
