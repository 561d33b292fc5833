// The GPU's operators against the reference in double precision on the CPU, gradients included.
// Skipped where there is no GPU.
#include "edmund/ops/graph.h"
#include "edmund/ops/random.h"
#include "edmund/ops/sum.h"
#include "operation.h"
#include "support/catch.h"
#include "support/gpu.h"

#include <functional>
#include <vector>

using namespace edmund;
using testing::gap, testing::NormCase, testing::Operation, testing::random, testing::results, testing::UseGpu;

namespace {

constexpr std::int64_t kSizes[][4] = {{2, 16, 8, 8},  {1, 3, 32, 32}, {3, 20, 7, 7},    {1, 32, 28, 28},
                                      {2, 48, 5, 12}, {5, 8, 1, 1},   {1, 256, 16, 16}, {2, 33, 14, 14}};

void compare(const Operation& operation, const std::vector<Tensor>& inputs, double tolerance,
             ops::Precision precision = ops::Precision::kFp32) {
  const UseGpu gpu(precision);
  const auto found = results(operation, inputs, at::TensorOptions(gpu.device()).dtype(at::kFloat));
  const auto exact = results(operation, inputs, at::TensorOptions(at::kCPU).dtype(at::kDouble));
  REQUIRE(found.size() == exact.size());
  for (std::size_t k = 0; k < found.size(); ++k) {
    INFO("result " << k << " of " << found.size());
    REQUIRE(found[k].sizes() == exact[k].sizes());
    CHECK(gap(found[k], exact[k]) < tolerance);
  }
}

// Rounding of the operands to 8 bits.
constexpr double kBf16 = 3e-2;

}  // namespace

TEST_CASE("The GPU's convolutions equal the reference", "[ops][gpu]") {
  const std::int64_t R = GENERATE(1, 3, 5);
  const bool all = GENERATE(true, false);
  const auto precision = GENERATE(ops::Precision::kFp32, ops::Precision::kBf16);
  for (const auto& s : kSizes) {
    const std::int64_t B = s[0], C = s[1], H = s[2], W = s[3], K = C == 3 ? 32 : C == 32 ? 3 : C + 5;
    INFO("B " << B << " C " << C << " H " << H << " W " << W << " R " << R);
    std::vector<Tensor> inputs{random({B, C, H, W}, 1), random({K, C, R, R}, 2)};
    if (all)
      for (const Tensor& more : {random({K}, 3), random({B, K}, 4), random({B, K, H, W}, 5)}) inputs.push_back(more);
    compare(
        [&](const std::vector<Tensor>& in) {
          if (!all) return ops::conv2d(in[0], {.weight = in[1]});
          return ops::conv2d(in[0],
                             {.weight = in[1], .bias = in[2], .per_sample = in[3], .residual = in[4], .scale = 0.7});
        },
        inputs, precision == ops::Precision::kFp32 ? 1e-5 : kBf16, precision);
  }
}

TEST_CASE("The GPU's normalization equals the reference, with and without what follows it", "[ops][gpu]") {
  const bool silu = GENERATE(true, false), adaptive = GENERATE(true, false);
  const double dropout = GENERATE(0.0, 0.3);
  for (const auto& s : kSizes) {
    const NormCase norm{{s[0], s[1], s[2], s[3]}, silu, adaptive, dropout};
    if (s[2] * s[3] == 1) continue;  // groups of few elements have no digits left
    INFO("B " << s[0] << " C " << s[1] << " H " << s[2] << " W " << s[3] << " dropout " << dropout);
    compare(operation_of(norm), inputs_of(norm), 2e-5);
  }
}

TEST_CASE("The GPU's attention, resampling and joining equal the reference", "[ops][gpu]") {
  const std::int64_t heads = GENERATE(1, 2);
  for (const std::int64_t size : {1, 4, 7, 16})
    compare([&](const std::vector<Tensor>& in) { return ops::attention(in[0], heads); },
            {random({2, 3 * 32, size, size}, 1)}, 2e-5);
  for (const auto& s : kSizes) {
    const Tensor x = random({s[0], s[1], s[2] * 2, s[3] * 2}, 1);
    for (const auto direction : {ops::Resample::kUp, ops::Resample::kDown})
      for (const std::vector<double>& taps : {std::vector<double>{1, 1}, {1, 3, 3, 1}})
        compare([&](const std::vector<Tensor>& in) { return ops::resample(in[0], direction, taps); }, {x}, 1e-5);
    compare([&](const std::vector<Tensor>& in) { return ops::concat(in[0], in[1]); },
            {x, random({s[0], 7, s[2] * 2, s[3] * 2}, 2)}, 1e-6);
  }
}

TEST_CASE("The GPU combines images of different types and memory orders, and noise", "[ops][gpu]") {
  const UseGpu gpu;
  const Tensor x = random({2, 3, 7, 5}, 1), y = random({2, 3, 7, 5}, 2);
  const ops::Draw draw{7, Stream::kLatent, at::tensor({std::int64_t{3}, std::int64_t{8}}), 2};
  ops::Draw on_gpu = draw;
  on_gpu.samples = draw.samples.to(gpu.device());
  const Tensor n = ops::normal(draw, {3, 7, 5});
  for (const auto other : {at::kDouble, at::kFloat, at::kBFloat16, at::kHalf}) {
    const Tensor rounded = y.to(other).contiguous(at::MemoryFormat::ChannelsLast), moved = rounded.to(gpu.device());
    const Tensor exact = 0.3 * x - 1.7 * rounded.to(at::kDouble);
    CHECK(gap(0.3 * ops::Sum(x.to(gpu.device())) - 1.7 * ops::Sum(moved), exact) < 1e-15);
    CHECK(gap(0.3 * ops::Sum(x.to(gpu.device())) - 1.7 * ops::Sum(moved) + 2.0 * ops::Sum(on_gpu), exact + 2 * n) <
          1e-14);
    const Tensor input = ops::network_input(0.5, moved, at::kFloat);
    CHECK(input.is_contiguous(at::MemoryFormat::ChannelsLast));
    CHECK(gap(input, 0.5 * rounded.to(at::kDouble)) < 1e-7);
  }
}

TEST_CASE("The GPU draws the numbers that the CPU draws", "[ops][gpu]") {
  const UseGpu gpu;
  const std::vector<std::int64_t> samples{3, (std::int64_t{1} << 40) + 5, 0};
  for (const auto dtype : {at::kDouble, at::kFloat, at::kBFloat16}) {
    const auto both = [&](const auto& draw) {
      return std::pair(draw(at::Device(at::kCPU)).to(at::kDouble), draw(gpu.device()).cpu().to(at::kDouble));
    };
    const auto [u, v] = both([&](at::Device device) {
      return ops::uniform(7, Stream::kLatent, samples, 2, {3, 5, 7}, dtype, device);
    });
    CHECK(u.equal(v));
    const auto [n, m] = both([&](at::Device device) {
      return ops::normal(7, Stream::kLatent, samples, 2, {3, 5, 7}, dtype, device);
    });
    // Sine and logarithm of the two differ in their last digits.
    CHECK((n - m).abs().max().item<double>() < (dtype == at::kDouble ? 1e-14 : dtype == at::kFloat ? 1e-6 : 4e-2));
  }
}

TEST_CASE("The GPU's optimizer step equals the reference", "[ops][gpu]") {
  const UseGpu gpu;
  const ops::AdamStep args{.learning_rate = 3e-2, .weight_decay = 0.05, .step = 3, .ema_beta = {0.1, 0.9}};
  const auto state = [&](const at::TensorOptions& options, const ops::LiveAdam* live) {
    std::vector<Tensor> out;
    for (std::int64_t i = 0; i < 6; ++i) out.push_back(random({20'011}, i).to(options));
    out[3].square_();
    std::vector<Tensor> ema{out[4], out[5]};
    const std::vector<ops::GradientPiece> pieces = {{0, out[1].narrow(0, 0, 19'000)},
                                                    {19'008, out[1].narrow(0, 19'008, 1'003)}};
    if (live != nullptr) {
      ops::adam_ema(out[0], pieces, out[2], out[3], ema, {.ema_beta = {0.5, 0.5}}, *live);
    } else {
      ops::adam_ema(out[0], pieces, out[2], out[3], ema, args);
    }
    return out;
  };
  const at::TensorOptions on_gpu = at::TensorOptions(gpu.device()).dtype(at::kFloat);
  const ops::LiveAdam live{.terms = at::tensor(at::ArrayRef<float>(ops::adam_terms(args))).to(gpu.device())};
  const auto exact = state(at::TensorOptions(at::kCPU).dtype(at::kDouble), nullptr);
  for (const auto* way : {static_cast<const ops::LiveAdam*>(nullptr), &live}) {
    const auto found = state(on_gpu, way);
    for (std::size_t k = 0; k < found.size(); ++k)
      CHECK(((found[k].cpu().to(at::kDouble) - exact[k]).abs() <= 2e-6 * (1 + exact[k].abs())).all().item<bool>());
  }
}

TEST_CASE("Recorded work reads its tensors anew and gives what it gives unrecorded", "[ops][gpu]") {
  const UseGpu gpu;
  const at::NoGradGuard no_grad;
  const auto on_gpu = [&](const Tensor& x) { return x.to(gpu.device(), at::kFloat); };
  const Tensor w = on_gpu(random({16, 16, 3, 3}, 1)), gain = on_gpu(random({16}, 2)), shift = on_gpu(random({16}, 3));
  const Tensor x = on_gpu(random({2, 16, 8, 8}, 4)), samples = at::zeros({2}, x.options().dtype(at::kLong)),
               y = at::zeros_like(x);
  const auto work = [&] {
    const Tensor n = ops::normal({3, Stream::kLatent, samples, 0, at::kFloat}, {16, 8, 8});
    y.copy_(ops::conv2d(ops::group_norm_silu(x + n, {.groups = 4, .weight = gain, .bias = shift}), {.weight = w}));
  };
  const auto graph = ops::make_graph(gpu.device(), 2);
  for (std::int64_t i = 0; i < 6; ++i) {
    x.copy_(random({2, 16, 8, 8}, 10 + i));
    samples.copy_(at::tensor({i, 100 + i}, at::kLong));
    CHECK(graph->recorded() == (i > 2));
    graph->run(work);
    const Tensor replayed = y.clone();
    work();
    CHECK(gap(replayed, y.cpu().to(at::kDouble)) < 1e-6);
  }
}
