// Magnitude-preserving operators: what they keep, and the fast ones against the reference.
#include "edmund/ops/magnitude.h"

#include "every_table.h"

#include <c10/core/InferenceMode.h>
#include <cmath>

using namespace edmund;
using testing::compare, testing::kSizes, testing::random;

namespace {

constexpr double kTolerance = 1e-5;

double rms(const Tensor& x) { return std::sqrt(x.square().mean().item<double>()); }

}  // namespace

TEST_CASE("Magnitude-preserving operators keep a mean square of one", "[ops]") {
  const Tensor a = random({4, 64, 32, 32}, 1), b = random({4, 64, 32, 32}, 2), c = random({4, 16, 32, 32}, 3);
  CHECK(std::abs(rms(ops::mp_silu(a)) - 1) < 0.01);
  CHECK(std::abs(rms(ops::mp_sum(a, b, 0.3)) - 1) < 0.01);
  CHECK(std::abs(rms(ops::mp_concat(a, c, 0.5)) - 1) < 0.01);
  CHECK(std::abs(rms(ops::normalized(a * 7, {1})) - 1) < 0.01);
  CHECK(std::abs(rms(ops::normalized_filters(a * 7, 3.0)) - 3) < 0.01);
}

TEST_CASE("Fast magnitude-preserving operators equal the reference", "[ops][fast]") {
  for (const auto& [B, C, H, W] : kSizes) {
    INFO("B " << B << " C " << C << " H " << H << " W " << W);
    const Tensor x = random({B, C, H, W}, 1), y = random({B, C, H, W}, 2), scale = random({B, C}, 3);
    compare([](const std::vector<Tensor>& in) { return ops::mp_silu(in[0]); }, {x * 3}, kTolerance);
    compare([](const std::vector<Tensor>& in) { return ops::mp_silu(in[0], in[1]); }, {x, scale}, kTolerance);
    compare([](const std::vector<Tensor>& in) { return ops::mp_sum(in[0], in[1], 0.3); }, {x, y}, kTolerance);
    compare([](const std::vector<Tensor>& in) { return ops::mp_concat(in[0], in[1], 0.4); },
            {x, y.narrow(1, 0, C / 2 + 1)}, kTolerance);
    compare([](const std::vector<Tensor>& in) { return ops::normalized(in[0], {1}); }, {x}, kTolerance);
    compare([](const std::vector<Tensor>& in) { return ops::normalized_filters(in[0], 0.7); }, {x}, kTolerance);
    compare([](const std::vector<Tensor>& in) { return ops::normalized_filters(in[0]); }, {x.flatten(1)}, kTolerance);
  }
  const std::int64_t heads = GENERATE(1, 2);
  for (const std::int64_t d : {3, 12, 64})
    compare([&](const std::vector<Tensor>& in) { return ops::normalized_heads(in[0], heads); },
            {random({2, 3 * heads * d, 3, 2}, 1)}, kTolerance);
}

TEST_CASE("Zeros stay zeros under normalization, with gradients that are finite", "[ops][fast]") {
  testing::on_every_table([] {
    const Tensor x = at::zeros({2, 20, 3, 3}, at::kFloat).requires_grad_();
    const Tensor y = ops::normalized(x, {1});
    y.sum().backward();
    CHECK(y.abs().max().item<float>() == 0.0F);
    CHECK(x.grad().isfinite().all().item<bool>());
  });
}

TEST_CASE("Normalized filters are kept until the weight changes, also from inference mode", "[ops][fast]") {
  const testing::Switches switches;
  const Tensor weight = random({8, 4, 3, 3}, 1).to(at::kFloat);
  const auto kept = [&](double gain) {
    const c10::InferenceMode inference;
    return ops::normalized_filters(weight, gain);
  };
  const Tensor first = kept(1.0), twice = kept(2.0);
  CHECK(kept(1.0).is_same(first));
  CHECK_FALSE(first.is_inference());
  CHECK(at::allclose(twice, first * 2));
  weight.mul_(-1.0);
  CHECK(at::allclose(kept(1.0), -first));
}
