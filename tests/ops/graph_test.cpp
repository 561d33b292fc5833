// What recorded work reads from tensors in place of numbers of the host, where there is no GPU: the
// CPU's recorder.
#include "edmund/ops/graph.h"

#include "edmund/ops/device.h"
#include "support/catch.h"
#include "support/cpu_recorder.h"

#include <ATen/ATen.h>
#include <cmath>
#include <limits>

using namespace edmund;
using namespace edmund::testing;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr std::int64_t kSize = 1000;

struct Memory {
  Tensor p, g, m, v;
  std::vector<Tensor> ema;

  explicit Memory(double scale = 1.0, at::ScalarType dtype = at::kFloat)
      : p(at::linspace(-1, 1, kSize, dtype)),
        g(at::linspace(-2, 3, kSize, dtype) * scale),
        m(at::linspace(0, 1, kSize, dtype)),
        v(at::linspace(1, 2, kSize, dtype)),
        ema{p.clone()} {}
  void step(const ops::AdamStep& args) { ops::adam_ema(p, {{0, g}}, m, v, ema, args); }
  void step(const ops::AdamStep& args, const ops::LiveAdam& live) { ops::adam_ema(p, {{0, g}}, m, v, ema, args, live); }
  Tensor norm() const { return ops::gradient_norm({{0, g}}); }
  bool equals(const Memory& other) const {
    return p.equal(other.p) && m.equal(other.m) && v.equal(other.v) && ema[0].equal(other.ema[0]);
  }
};

constexpr double kClip = 0.3;
const ops::AdamStep kStep{.learning_rate = 1e-2, .weight_decay = 0.01, .step = 3, .ema_beta = {0.9}};

}  // namespace

TEST_CASE("An Adam step cuts a long gradient by the norm that it reads, and leaves a short one", "[ops]") {
  const UseKernels use(GENERATE(ops::Kernels::kReference, ops::Kernels::kFast));
  const auto dtype = GENERATE(at::kFloat, at::kDouble);
  const double scale = GENERATE(1.0, 1e-6);
  Memory found(scale, dtype), expected(scale, dtype);
  ops::AdamStep args = kStep;
  const double norm = expected.norm().item<double>();
  args.gradient_scale = norm > kClip ? kClip / norm : 1.0;
  expected.step(args);
  found.step(kStep, {.norm = found.norm(), .clip_norm = kClip});
  CHECK(found.equals(expected));
}

TEST_CASE("An Adam step without a finite norm changes nothing if it is told to skip", "[ops]") {
  const UseKernels use(GENERATE(ops::Kernels::kReference, ops::Kernels::kFast));
  const bool skip = GENERATE(false, true);
  Memory found, before;
  found.step(kStep, {.norm = at::full({}, std::numeric_limits<float>::quiet_NaN()), .skip_nonfinite = skip});
  CHECK(found.equals(before) == skip);
}

TEST_CASE("Terms in a tensor take the place of the step's own with the fast operators, and of none elsewhere",
          "[ops]") {
  const ops::AdamStep others{.learning_rate = 5.0, .step = 99, .ema_beta = {0.1}};
  const ops::LiveAdam live{.terms = at::tensor(at::ArrayRef<float>(ops::adam_terms(kStep)))};
  Memory found, expected;
  {
    const UseKernels fast(ops::Kernels::kFast);
    expected.step(kStep);
    found.step(others, live);
  }
  CHECK(found.equals(expected));
  CHECK_THROWS_WITH(found.step(others, live), ContainsSubstring("only the fast operators"));
}

TEST_CASE("Dropout takes the same bits from a key's samples and from its positions", "[ops]") {
  const UseKernels use(GENERATE(ops::Kernels::kReference, ops::Kernels::kFast));
  const Tensor x = at::linspace(-2, 2, 2 * 8 * 4 * 4).view({2, 8, 4, 4});
  const ops::DropoutKey samples{.seed = 5, .samples = {7, (std::int64_t{1} << 40) + 1}};
  const ops::DropoutKey positions{.seed = 5, .positions = at::tensor(at::ArrayRef<std::int64_t>(samples.samples))};
  const auto y = [&](const ops::DropoutKey& key) {
    return ops::group_norm_silu(
        x, {.groups = 4, .weight = at::ones({8}), .bias = at::zeros({8}), .dropout = 0.5, .key = &key, .layer = 2});
  };
  CHECK(y(samples).equal(y(positions)));
}

TEST_CASE("The CPU records nothing by itself; the tests' recorder replays the work of its record", "[ops]") {
  CHECK_FALSE(ops::records(at::kCPU));
  CHECK_THROWS_WITH(ops::make_graph(at::kCPU, 1), ContainsSubstring("cannot be recorded"));
  const CpuRecorder recorder;
  CHECK(ops::records(at::kCPU));
  const auto graph = ops::make_graph(at::kCPU, 2);
  const Tensor in = at::zeros({1}), out = at::zeros({1});
  for (int i = 0; i < 5; ++i) {
    in.fill_(i);
    CHECK(graph->recorded() == (i > 2));
    graph->run([in, out, i] { out.copy_(in + 10 * i); });
    // The host's number is that of the record.
    CHECK(out.item<double>() == i + 10 * std::min(i, 2));
  }
  CHECK(CpuRecorder::replays() == 2);  // two runs warm up, the third is recorded
}
