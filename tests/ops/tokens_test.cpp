// Operators of transformers: what they compute, and the fast ones against the reference.
#include "edmund/ops/tokens.h"

#include "every_table.h"

#include <cmath>

using namespace edmund;
using testing::compare, testing::random;

namespace {

// B, L, C: sizes that fill no vector among them, more tokens than one chunk of sums.
constexpr std::int64_t kTokens[][3] = {{2, 16, 32}, {1, 130, 20}, {3, 7, 1}, {1, 1, 48}, {5, 9, 33}, {2, 64, 144}};
constexpr double kTolerance = 1e-5;

}  // namespace

TEST_CASE("layer_norm_modulate gives each token mean shift and deviation 1 + scale", "[ops]") {
  const Tensor x = random({2, 3, 512}, 1) * 4 + 9, flat = at::zeros({2, 512}, at::kDouble);
  const Tensor y = ops::layer_norm_modulate(x, flat + 0.5, flat + 1, 0.0);
  CHECK((y.mean(2) - 0.5).abs().max().item<double>() < 1e-12);
  CHECK((y.std(2, /*unbiased=*/false) - 2).abs().max().item<double>() < 1e-12);
  CHECK_THROWS(ops::layer_norm_modulate(x, flat, {}, 0.0));
  CHECK_THROWS(ops::layer_norm_modulate(x, at::zeros({2, 8}), at::zeros({2, 8}), 0.0));
  CHECK_THROWS(ops::layer_norm_modulate(x[0], {}, {}, 0.0));
}

TEST_CASE("gated_sum refuses shapes that do not fit", "[ops]") {
  const Tensor x = random({2, 3, 8}, 1);
  CHECK_THROWS(ops::gated_sum(x, at::zeros({3, 8}), x));
  CHECK_THROWS(ops::gated_sum(x[0], at::zeros({2, 8}), x));
}

TEST_CASE("Fast layer norm equals the reference, with and without modulation", "[ops][fast]") {
  const double mean = GENERATE(0.0, 30.0);
  for (const auto& [B, L, C] : kTokens) {
    if (C == 1) continue;  // no deviation
    INFO("B " << B << " L " << L << " C " << C << " mean " << mean);
    // a mean of 30 takes 1.5 digits of x's own
    const double tolerance = mean == 0.0 ? kTolerance : 3e-4;
    const Tensor x = random({B, L, C}, 1) + mean;
    compare([](const std::vector<Tensor>& in) { return ops::layer_norm_modulate(in[0], in[1], in[2], 1e-6); },
            {x, random({B, C}, 2), random({B, C}, 3)}, tolerance);
    compare([](const std::vector<Tensor>& in) { return ops::layer_norm_modulate(in[0], {}, {}, 1e-6); }, {x},
            tolerance);
  }
}

TEST_CASE("Fast gelu and gated sum equal the reference", "[ops][fast]") {
  for (const auto& [B, L, C] : kTokens) {
    INFO("B " << B << " L " << L << " C " << C);
    compare([](const std::vector<Tensor>& in) { return ops::gelu_tanh(in[0]); }, {random({B, L, C}, 1) * 3},
            kTolerance);
    compare([](const std::vector<Tensor>& in) { return ops::gated_sum(in[0], in[1], in[2]); },
            {random({B, L, C}, 1), random({B, C}, 2), random({B, L, C}, 3)}, kTolerance);
  }
}

TEST_CASE("Fast gelu goes to 0 and to x far from the origin", "[ops][fast]") {
  const Tensor x = at::tensor({-1e4, -30.0, -8.0, 8.0, 30.0, 1e4}, at::kFloat), exact = at::clamp_min(x, 0.0);
  testing::on_every_table([&] { CHECK((ops::gelu_tanh(x) - exact).abs().max().item<float>() < 1e-6F); });
}

TEST_CASE("Fast token attention equals the reference", "[ops][fast]") {
  const std::int64_t heads = GENERATE(1, 3);
  for (const std::int64_t L : {1, 5, 64})
    compare([&](const std::vector<Tensor>& in) { return ops::token_attention(in[0], heads); },
            {random({2, L, 3 * 24}, 1)}, 2e-5);
}
