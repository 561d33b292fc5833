// The GPU's kernels against the reference in double precision, run on the CPU (emulated_cuda.h):
// sizes that fill no block and no group of four pixels.
#include "../../src/ops/cuda/kernels.h"
#include "edmund/ops/graph.h"
#include "edmund/ops/random.h"
#include "operation.h"
#include "support/catch.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

using namespace edmund;
using testing::gap, testing::random;
namespace cuda = edmund::ops::cuda;

namespace {

constexpr std::int64_t kSizes[][4] = {{2, 16, 8, 8}, {1, 3, 32, 32}, {3, 20, 7, 7},   {1, 96, 28, 28},
                                      {2, 8, 5, 12}, {1, 160, 4, 4}, {2, 33, 14, 14}, {1, 300, 5, 5}};

cuda::Element element(at::ScalarType dtype) {
  return dtype == at::kFloat      ? cuda::Element::kFloat
         : dtype == at::kBFloat16 ? cuda::Element::kBfloat16
                                  : cuda::Element::kHalf;
}

// How far a result may be off: some roundings of its type.
double tolerance(at::ScalarType dtype) { return dtype == at::kFloat ? 1e-5 : dtype == at::kHalf ? 2e-3 : 1.6e-2; }

// Channels-last memory of a type, and the double that it holds exactly.
struct Image {
  Tensor memory, exact;

  Image(const Tensor& x, at::ScalarType dtype)
      : memory(x.to(dtype).contiguous(at::MemoryFormat::ChannelsLast)), exact(memory.to(at::kDouble).contiguous()) {}
  Image like() const { return {at::zeros_like(exact), memory.scalar_type()}; }
  cuda::ImageShape shape() const {
    return {element(memory.scalar_type()), memory.size(0), memory.size(2) * memory.size(3), memory.size(1)};
  }
};

Tensor floats(at::IntArrayRef shape) { return at::full(shape, std::numeric_limits<float>::quiet_NaN(), at::kFloat); }

}  // namespace

TEST_CASE("The GPU's Philox draws the CPU's words and numbers", "[ops][cuda]") {
  const std::int64_t count = GENERATE(1, 6, 1003);
  const std::vector<std::int64_t> samples{3, (std::int64_t{1} << 40) + 5, 0};
  const std::uint64_t seed = 0x123456789abcdef0;
  const cuda::RowKeys keys{seed, Stream::kLatent, 9, samples.data()};
  std::vector<std::uint32_t> words(static_cast<std::size_t>(3 * count));
  REQUIRE(cuda::draw_words(keys, 3, count, words.data(), nullptr) == cudaSuccess);
  for (std::size_t row = 0; row < 3; ++row)
    for (std::int64_t n = 0; n < count; ++n) {
      const RandomKey same{seed, Stream::kLatent, static_cast<std::uint64_t>(samples[row]), 9};
      REQUIRE(words[row * static_cast<std::size_t>(count) + static_cast<std::size_t>(n)] ==
              same.words(static_cast<std::uint32_t>(n / 4))[static_cast<std::size_t>(n % 4)]);
    }

  for (const auto dtype : {at::kDouble, at::kFloat}) {
    const Tensor normal = at::empty({3, count}, dtype), uniform = at::empty({3, count}, dtype);
    if (dtype == at::kDouble) {
      cuda::draw_normal(keys, 3, count, normal.data_ptr<double>(), nullptr);
      cuda::draw_uniform(keys, 3, count, uniform.data_ptr<double>(), nullptr);
    } else {
      cuda::draw_normal(keys, 3, count, normal.data_ptr<float>(), nullptr);
      cuda::draw_uniform(keys, 3, count, uniform.data_ptr<float>(), nullptr);
    }
    CHECK(gap(normal, ops::normal(seed, Stream::kLatent, samples, 9, {count}, dtype, at::kCPU).to(at::kDouble)) < 1e-7);
    CHECK(uniform.equal(ops::uniform(seed, Stream::kLatent, samples, 9, {count}, dtype, at::kCPU)));
  }
}

TEST_CASE("The GPU's normalization and its gradients equal the reference", "[ops][cuda]") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16, at::kHalf);
  const bool silu = GENERATE(true, false), adaptive = GENERATE(true, false);
  const double dropout = adaptive ? 0.3 : 0.0;
  for (const auto& s : kSizes) {
    const std::int64_t B = s[0], C = s[1], H = s[2], W = s[3], groups = C % 4 == 0 ? C / 4 : C % 3 == 0 ? 3 : 1;
    INFO("B " << B << " C " << C << " H " << H << " W " << W);
    const Image x(random({B, C, H, W}, 1), dtype), dy(random({B, C, H, W}, 6), dtype);
    std::vector<Tensor> rest{random({C}, 2), random({C}, 3), random({B, C}, 4), random({B, C}, 5)};
    ops::DropoutKey key{.seed = 5};
    for (std::int64_t i = 0; i < B; ++i) key.samples.push_back(i * (std::int64_t{1} << 35) + 7);

    std::vector<Tensor> leaves{x.exact.clone().requires_grad_()};
    for (auto& tensor : rest) {
      tensor = tensor.to(at::kFloat);
      leaves.push_back(tensor.to(at::kDouble).requires_grad_());
    }
    const Tensor exact = ops::group_norm_silu(leaves[0], {.groups = groups,
                                                          .weight = leaves[1],
                                                          .bias = leaves[2],
                                                          .scale = adaptive ? leaves[3] : Tensor(),
                                                          .shift = adaptive ? leaves[4] : Tensor(),
                                                          .silu = silu,
                                                          .dropout = dropout,
                                                          .key = &key,
                                                          .layer = 3});
    (exact * dy.exact).sum().backward();

    cuda::NormTask task{.shape = x.shape(), .groups = groups, .eps = 1e-5, .silu = silu};
    task.weight = rest[0].const_data_ptr<float>();
    task.bias = rest[1].const_data_ptr<float>();
    if (adaptive) task.scale = rest[2].const_data_ptr<float>();
    if (adaptive) task.shift = rest[3].const_data_ptr<float>();
    if (dropout > 0.0)
      task.dropout = {.keys = {5, Stream::kDropout, 3, key.samples.data()},
                      .limit = static_cast<std::uint32_t>(std::ldexp(dropout, 32)),
                      .kept = static_cast<float>(1.0 / (1.0 - dropout))};
    const Image y = x.like(), dx = x.like();
    const Tensor rows = floats({B, 4, C}), partial = floats({B, cuda::parts_of(task.shape), 2, C}),
                 totals = floats({B, 2, C}), terms = floats({B, 2, C});
    cuda::norm_forward(task, x.memory.data_ptr(), y.memory.data_ptr(), rows.data_ptr<float>(),
                       partial.data_ptr<float>(), nullptr);
    cuda::norm_backward(task, x.memory.data_ptr(), dy.memory.data_ptr(), rows.data_ptr<float>(), dx.memory.data_ptr(),
                        totals.data_ptr<float>(), terms.data_ptr<float>(), partial.data_ptr<float>(), nullptr);
    CHECK(gap(y.memory, exact) < tolerance(dtype));
    CHECK(gap(dx.memory, leaves[0].grad()) < tolerance(dtype));
    const Tensor sums = totals.select(1, 0).to(at::kDouble), products = totals.select(1, 1).to(at::kDouble);
    const Tensor adapt = adaptive ? leaves[3].detach() + 1 : at::ones({B, C}, at::kDouble);
    CHECK(gap((products * adapt).sum(0), leaves[1].grad()) < 2e-5);
    CHECK(gap((sums * adapt).sum(0), leaves[2].grad()) < 2e-5);
  }
}

TEST_CASE("The GPU's epilogue and its gradients equal the reference", "[ops][cuda]") {
  const auto dtype = GENERATE(at::kFloat, at::kBFloat16);
  for (const auto& s : kSizes) {
    const Image y(random({s[0], s[1], s[2], s[3]}, 1), dtype), residual(random({s[0], s[1], s[2], s[3]}, 2), dtype);
    const Tensor bias = random({s[1]}, 3).to(at::kFloat), per_sample = random({s[0], s[1]}, 4).to(at::kFloat);
    const Tensor exact =
        (y.exact + bias.view({1, -1, 1, 1}) + per_sample.view({s[0], -1, 1, 1}) + residual.exact) * 0.7;
    const Image scaled = y.like();
    const Tensor partial = floats({s[0], cuda::parts_of(y.shape()), s[1]});
    cuda::scaled_sums(y.shape(), y.memory.data_ptr(), 0.7F, scaled.memory.data_ptr(), partial.data_ptr<float>(),
                      nullptr);
    CHECK(gap(scaled.memory, y.exact * 0.7) < tolerance(dtype));
    CHECK(gap(partial.sum(1), (y.exact * 0.7).sum({2, 3})) < 1e-5);
    cuda::epilogue(y.shape(), y.memory.data_ptr(), bias.const_data_ptr<float>(), per_sample.const_data_ptr<float>(),
                   residual.memory.data_ptr(), 0.7F, nullptr);
    CHECK(gap(y.memory, exact) < tolerance(dtype));
    cuda::epilogue(residual.shape(), residual.memory.data_ptr(), nullptr, nullptr, nullptr, 0.5F, nullptr);
    CHECK(gap(residual.memory, residual.exact * 0.5) < tolerance(dtype));
  }
}

TEST_CASE("The GPU halves and doubles images as the reference does", "[ops][cuda]") {
  const auto dtype = GENERATE(at::kFloat, at::kHalf);
  for (const auto& s : kSizes) {
    const Image small(random({s[0], s[1], s[2], s[3]}, 1), dtype),
        large(random({s[0], s[1], 2 * s[2], 2 * s[3]}, 2), dtype);
    const Image half = small.like(), twice = large.like();
    cuda::shrink(small.shape().type, s[0] * s[2], s[3], s[1], large.memory.data_ptr(), 0.25F, half.memory.data_ptr(),
                 nullptr);
    cuda::grow(small.shape().type, s[0] * s[2], s[3], s[1], small.memory.data_ptr(), 1.0F, twice.memory.data_ptr(),
               nullptr);
    CHECK(gap(half.memory, ops::resample(large.exact, ops::Resample::kDown, {1, 1})) < tolerance(dtype));
    CHECK(gap(twice.memory, ops::resample(small.exact, ops::Resample::kUp, {1, 1})) == 0.0);
  }
}

TEST_CASE("The GPU's optimizer step equals the reference, its terms given or read from the device", "[ops][cuda]") {
  const bool live = GENERATE(false, true);
  const double norm = GENERATE(1.0, 8.0, std::numeric_limits<double>::infinity());
  const ops::AdamStep args = testing::adam_step();
  for (const std::int64_t size : {1, 255, 20'011}) {
    std::vector<Tensor> exact, found;
    for (std::int64_t i = 0; i < 6; ++i) exact.push_back(random({size}, i));
    exact[3].square_();
    exact[1][0] = std::numeric_limits<double>::quiet_NaN();
    for (const auto& tensor : exact) found.push_back(tensor.to(at::kFloat));

    const std::vector<float> terms = ops::adam_terms(args);
    const auto length = static_cast<float>(norm);
    cuda::AdamTask task{.p = found[0].data_ptr<float>(),
                        .m = found[2].data_ptr<float>(),
                        .v = found[3].data_ptr<float>(),
                        .g = found[1].data_ptr<float>(),
                        .ema = {found[4].data_ptr<float>(), found[5].data_ptr<float>()},
                        .copies = 2,
                        .size = size,
                        .one_minus_beta1 = static_cast<float>(1.0 - 0.8),
                        .one_minus_beta2 = static_cast<float>(1.0 - 0.95),
                        .eps = 1e-8F,
                        .live_terms = live ? terms.data() : nullptr,
                        .norm = &length,
                        .clip_norm = 2.0F,
                        .skip_nonfinite = true,
                        .zero_nonfinite = true};
    if (!live) std::copy(terms.begin(), terms.end(), task.terms);
    cuda::adam(task, nullptr);

    ops::AdamStep same = args;
    if (norm > 2.0) same.gradient_scale *= 2.0 / norm;
    std::vector<Tensor> ema{exact[4], exact[5]};
    if (std::isfinite(norm)) ops::adam_ema(exact[0], {{0, exact[1]}}, exact[2], exact[3], ema, same);
    for (std::size_t k = 0; k < found.size(); ++k) {
      if (k == 1) continue;  // the gradient
      INFO("tensor " << k << " of " << size);
      CHECK(((found[k].to(at::kDouble) - exact[k]).abs() <= 2e-6 * (1 + exact[k].abs())).all().item<bool>());
    }
  }
}

TEST_CASE("The GPU's long EMAs neither drift nor stall", "[ops][cuda]") {
  constexpr std::int64_t size = 300;
  for (const double beta : {0.999, 0.9999, 0.999999}) {
    const Tensor zeros = at::zeros({size}, at::kFloat), p = at::ones({size}, at::kFloat), m = zeros.clone(),
                 v = zeros.clone(), ema = at::full({size}, 1.001F), rest = zeros.clone();
    const double from = ema[0].item<double>();
    for (std::int64_t step = 1; step <= 1000; ++step) {
      const std::vector<float> terms = ops::adam_terms({.learning_rate = 0.0, .step = step, .ema_beta = {beta}});
      cuda::AdamTask task{.p = p.data_ptr<float>(),
                          .m = m.data_ptr<float>(),
                          .v = v.data_ptr<float>(),
                          .g = zeros.data_ptr<float>(),
                          .ema = {ema.data_ptr<float>()},
                          .ema_rest = {rest.data_ptr<float>()},
                          .copies = 1,
                          .size = size,
                          .one_minus_beta1 = 0.1F,
                          .one_minus_beta2 = 0.001F,
                          .eps = 1e-8F};
      std::copy(terms.begin(), terms.end(), task.terms);
      cuda::adam(task, nullptr);
    }
    INFO("β = " << beta);
    CHECK(((ema.to(at::kDouble) - (1 + (from - 1) * std::pow(beta, 1000))).abs() <= 1.2e-7).all().item<bool>());
  }
}
