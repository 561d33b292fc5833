// The GPU's operators, gradients included, with their kernels run on the CPU, against the reference
// in double precision.
#include "../../src/ops/cuda/operators.h"
#include "edmund/ops/random.h"
#include "operation.h"
#include "support/catch.h"

#include <vector>

using namespace edmund;
using testing::gap, testing::Operation, testing::random;

namespace {

constexpr std::int64_t kSizes[][4] = {{2, 16, 8, 8}, {1, 3, 12, 12}, {3, 20, 7, 7}, {2, 8, 5, 12}};

using Inputs = std::vector<Tensor>;

// Results and all gradients of a weighted sum. The weights are half of a channels-last tensor, so
// that the gradient has gaps in its memory.
std::vector<Tensor> run(const Operation& operation, const Inputs& inputs, at::ScalarType dtype) {
  Inputs leaves;
  for (const auto& input : inputs) leaves.push_back(input.to(dtype).detach().clone().requires_grad_());
  const Tensor y = operation(leaves);
  const Tensor both = at::cat({y, y * 2}, 1).contiguous(at::MemoryFormat::ChannelsLast);
  (both * random(both.sizes(), 99).to(dtype)).sum().backward();
  std::vector<Tensor> out{y.detach()};
  for (const auto& leaf : leaves) out.push_back(leaf.grad());
  const at::NoGradGuard no_grad;
  out.push_back(operation(leaves));
  return out;
}

void compare(const Operation& ours, const Operation& reference, const Inputs& inputs, double tolerance) {
  const auto found = run(ours, inputs, at::kFloat), exact = run(reference, inputs, at::kDouble);
  REQUIRE(found.size() == exact.size());
  for (std::size_t k = 0; k < found.size(); ++k) {
    INFO("result " << k << " of " << found.size());
    REQUIRE(found[k].sizes() == exact[k].sizes());
    CHECK(found[k].scalar_type() == (k == 0 || k + 1 == found.size() ? found[0].scalar_type() : at::kFloat));
    CHECK(gap(found[k], exact[k]) < tolerance);
  }
}

}  // namespace

TEST_CASE("The GPU's convolutions have the reference's values and gradients in every precision", "[ops][cuda]") {
  const std::int64_t R = GENERATE(1, 3);
  const bool all = GENERATE(true, false);
  const auto precision = GENERATE(ops::Precision::kFp32, ops::Precision::kTf32, ops::Precision::kBf16);
  for (const auto& s : kSizes) {
    const std::int64_t B = s[0], C = s[1], H = s[2], W = s[3], K = C + 5;
    INFO("B " << B << " C " << C << " H " << H << " W " << W << " R " << R);
    Inputs inputs{random({B, C, H, W}, 1), random({K, C, R, R}, 2)};
    if (all)
      for (const Tensor& more : {random({K}, 3), random({B, K}, 4), random({B, K, H, W}, 5)}) inputs.push_back(more);
    const auto args = [&](const Inputs& in) -> ops::Conv2d {
      if (!all) return {.weight = in[1]};
      return {.weight = in[1], .bias = in[2], .per_sample = in[3], .residual = in[4], .scale = 0.7};
    };
    compare([&](const Inputs& in) { return ops::cuda::conv2d(in[0], args(in), {.precision = precision}); },
            [&](const Inputs& in) { return ops::conv2d(in[0], args(in)); }, inputs,
            precision == ops::Precision::kBf16 ? 3e-2 : 1e-5);  // bf16: operands of 8 bits
  }
}

TEST_CASE("The GPU's convolution sees a weight that changed", "[ops][cuda]") {
  const at::NoGradGuard no_grad;
  const Tensor x = random({1, 8, 6, 6}, 1).to(at::kFloat);
  Tensor w = random({8, 8, 3, 3}, 2).to(at::kFloat);
  std::uint64_t changes = 0;
  const auto right = [&] {
    return gap(ops::cuda::conv2d(x, {.weight = w}, {.weights = changes}),
               at::conv2d(x.to(at::kDouble), w.to(at::kDouble), {}, 1, 1)) < 1e-5;
  };
  CHECK(right());
  w.mul_(2.0);
  CHECK(right());
  w.data_ptr<float>()[3] += 1.0F;  // as the optimizer writes, unseen
  ++changes;
  CHECK(right());
  w = random({8, 8, 3, 3}, 3).to(at::kFloat);
  CHECK(right());
}

TEST_CASE("The GPU's normalization has the reference's values and gradients", "[ops][cuda]") {
  const bool adaptive = GENERATE(true, false), on_gpu = GENERATE(true, false);
  for (const auto& s : kSizes) {
    const std::int64_t B = s[0], C = s[1];
    Inputs inputs{random({B, C, s[2], s[3]}, 1), random({C}, 2), random({C}, 3)};
    if (adaptive)
      for (const Tensor& more : {random({B, C}, 4), random({B, C}, 5)}) inputs.push_back(more);
    ops::DropoutKey key{.seed = 5}, recorded{.seed = 5};
    for (std::int64_t i = 0; i < B; ++i) key.samples.push_back(i * (std::int64_t{1} << 35) + 7);
    recorded.positions = at::tensor(at::ArrayRef<std::int64_t>(key.samples));
    const auto args = [&](const Inputs& in, const ops::DropoutKey& dropout) -> ops::GroupNorm {
      return {.groups = C % 4 == 0 ? C / 4 : 1,
              .weight = in[1],
              .bias = in[2],
              .scale = adaptive ? in[3] : Tensor(),
              .shift = adaptive ? in[4] : Tensor(),
              .dropout = 0.3,
              .key = &dropout,
              .layer = 3};
    };
    compare([&](const Inputs& in) { return ops::cuda::group_norm_silu(in[0], args(in, on_gpu ? recorded : key)); },
            [&](const Inputs& in) { return ops::group_norm_silu(in[0], args(in, key)); }, inputs, 2e-5);
  }
}

TEST_CASE("The GPU's attention, resampling and joining have the reference's values and gradients", "[ops][cuda]") {
  const std::int64_t heads = GENERATE(1, 2);
  for (const std::int64_t size : {1, 4, 7})
    compare([&](const Inputs& in) { return ops::cuda::attention(in[0], heads); },
            [&](const Inputs& in) { return ops::attention(in[0], heads); }, {random({2, 3 * 8, size, size}, 1)}, 2e-5);
  for (const auto& s : kSizes) {
    const Tensor x = random({s[0], s[1], s[2] * 2, s[3] * 2}, 1), other = random({s[0], 7, s[2] * 2, s[3] * 2}, 2);
    for (const auto direction : {ops::Resample::kUp, ops::Resample::kDown})
      compare([&](const Inputs& in) { return ops::cuda::resample_box(in[0], direction); },
              [&](const Inputs& in) {
                return ops::resample(in[0], direction, {1, 1});
              },
              {x}, 1e-6);
    compare([&](const Inputs& in) { return ops::cuda::concat(in[0], in[1]); },
            [&](const Inputs& in) { return ops::concat(in[0], in[1]); }, {x, other}, 1e-6);
  }
}

TEST_CASE("The GPU combines images of different types and memory orders, and noise, in one pass", "[ops][cuda]") {
  const std::vector<std::int64_t> samples{3, (std::int64_t{1} << 40) + 5, 0};
  constexpr at::ScalarType kTypes[] = {at::kDouble, at::kFloat, at::kBFloat16, at::kHalf};
  const auto order = GENERATE(at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast);
  const bool noisy = GENERATE(false, true);
  for (const auto& s : kSizes)
    for (const auto type : kTypes)
      for (const std::int64_t count : {1, 2, 3, 4, 8}) {
        INFO("B " << s[0] << " C " << s[1] << " H " << s[2] << " W " << s[3] << ", " << count << " images, " << type);
        std::vector<ops::Term> terms;
        Tensor exact = at::zeros({s[0], s[1], s[2], s[3]}, at::kDouble);
        for (std::int64_t k = 0; k < count; ++k) {
          const auto own = kTypes[(k + count) % 4];
          const double factor = 0.3 - 0.7 * static_cast<double>(k);
          const Tensor x = random(exact.sizes(), k).to(own);
          terms.push_back({factor, k % 2 == 0 ? x : x.contiguous(at::MemoryFormat::ChannelsLast)});
          exact += factor * x.to(at::kDouble);
        }
        if (noisy) {
          const ops::Draw draw{7, Stream::kLatent, at::tensor(samples).narrow(0, 0, s[0]), 9, type};
          terms.push_back({1.5, draw});
          exact += 1.5 * ops::normal(draw, exact.sizes().slice(1)).to(at::kDouble);
        }
        const Tensor found = ops::cuda::combine(terms, type, order);
        CHECK(found.scalar_type() == type);
        CHECK(found.is_contiguous(order));
        // Sine and logarithm of the two sides differ in their last digits, and may round to another
        // number of the draw's type.
        const double unit = type == at::kDouble  ? 0x1p-53
                            : type == at::kFloat ? 0x1p-24
                            : type == at::kHalf  ? 0x1p-11
                                                 : 0x1p-8;
        CHECK(gap(found, exact) < (noisy ? 8 : type == at::kDouble ? 4 : 1.01) * unit);
      }
}

TEST_CASE("The GPU's sums take one draw and eight images at most", "[ops][cuda]") {
  const Tensor x = random({1, 2, 3, 3}, 1);
  const ops::Draw draw{7, Stream::kLatent, at::zeros({1}, at::kLong), 0};
  const auto combined = [](const std::vector<ops::Term>& terms) {
    return ops::cuda::combine(terms, at::kDouble, at::MemoryFormat::Contiguous);
  };
  CHECK_THROWS(combined({{1.0, x}, {1.0, draw}, {1.0, draw}}));
  CHECK_THROWS(combined(std::vector<ops::Term>(ops::cuda::kMostImages + 1, {1.0, x})));
}
