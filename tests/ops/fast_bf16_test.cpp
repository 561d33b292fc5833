// What stays in bfloat16 between the operators, and attention in it, against float64.
#include "every_table.h"

#include <cmath>

namespace edmund::testing {
namespace {

// Runs body() with all kernels that multiply blocks, on one thread and three, which must leave the
// same bits; the result.
template <typename Body>
void with_blocks(const Body& body, const std::vector<Tensor>& exact, double tolerance) {
  const Switches switches;
  ops::set_precision(ops::Precision::kBf16);
  long count = 0;
  const auto* const choices = ops::cpu::bf16_choices(count);
  for (long i = 0; i < count; ++i) {
    if (choices[i].kernels->direct == nullptr) continue;
    ops::cpu::use_kernel_table(*choices[i].table);
    ops::cpu::use_bf16_kernels(choices[i].kernels);
    std::vector<Tensor> first;
    for (const int threads : {1, 3}) {
      INFO(choices[i].table->name << ", " << threads << " threads");
      at::set_num_threads(threads);
      const std::vector<Tensor> found = body();
      for (std::size_t n = 0; n < found.size(); ++n) {
        INFO("result " << n);
        CHECK(found[n].scalar_type() == at::kFloat);
        CHECK(gap(found[n], exact[n]) < tolerance);
      }
      CHECK(gap(found[0], exact[0]) > 1e-5);  // it was not float32
      if (first.empty()) first = found;
      for (std::size_t n = 0; n < found.size(); ++n) CHECK(found[n].equal(first[n]));
    }
  }
}

// A block of a U-Net, as networks make it.
Tensor branch(const std::vector<Tensor>& in, double dropout) {
  const ops::DropoutKey key{.seed = 3, .samples = {4, 5}};
  const ops::GroupNorm norm{.groups = 8, .weight = in[1], .bias = in[2], .inner = true};
  ops::GroupNorm second = norm;
  second.dropout = dropout, second.key = &key;
  const Tensor h =
      ops::conv2d(ops::group_norm_silu(in[0], norm), {.weight = in[3], .per_sample = in[4], .inner = true});
  return ops::conv2d(ops::group_norm_silu(h, second), {.weight = in[5], .residual = in[0], .scale = 0.7});
}

}  // namespace

TEST_CASE("A residual branch in bfloat16 stays within its rounding, gradients too", "[ops][fast]") {
  const std::int64_t R = GENERATE(1, 3), H = GENERATE(5, 16), W = GENERATE(7, 16);
  const double dropout = GENERATE(0.0, 0.25);
  const std::int64_t C = 64;
  const std::vector<Tensor> inputs{random({2, C, H, W}, 1), random({C}, 2) + 1,
                                   random({C}, 3),          random({C, C, R, R}, 4) / std::sqrt(C * R * R),
                                   random({2, C}, 5),       random({C, C, R, R}, 6) / std::sqrt(C * R * R)};
  const auto operation = [&](const std::vector<Tensor>& in) { return branch(in, dropout); };
  with_blocks([&] { return results(operation, inputs, at::kFloat); }, results(operation, inputs, at::kDouble), 3e-2);
}

TEST_CASE("Results inside a branch are bfloat16 where blocks are multiplied", "[ops][fast]") {
  const Switches switches;
  const Tensor x = random({1, 64, 4, 4}, 1).to(at::kFloat), ones = at::ones({64}, at::kFloat),
               few = at::ones({24}, at::kFloat);
  const auto dtype = [&](const Tensor& image, const Tensor& weight, bool inner) {
    return ops::group_norm_silu(image, {.groups = 8, .weight = weight, .bias = weight, .inner = inner}).scalar_type();
  };
  CHECK(dtype(x, ones, true) == at::kFloat);  // in float32
  ops::set_precision(ops::Precision::kBf16);
  long count = 0;
  const auto* const choices = ops::cpu::bf16_choices(count);
  for (long i = 0; i < count; ++i) {
    ops::cpu::use_kernel_table(*choices[i].table);
    ops::cpu::use_bf16_kernels(choices[i].kernels);
    const bool blocks = choices[i].kernels->direct != nullptr;
    CHECK(dtype(x, ones, true) == (blocks ? at::kBFloat16 : at::kFloat));
    CHECK(dtype(x, ones, false) == at::kFloat);
    CHECK(dtype(x.narrow(1, 0, 24), few, true) == at::kFloat);  // no whole depths of a block
  }
  // the reference, and filters that are not multiplied in blocks, take what was left
  const Tensor left = ops::group_norm_silu(x, {.groups = 8, .weight = ones, .bias = ones, .inner = true});
  const Tensor w = random({5, 64, 5, 5}, 2).to(at::kFloat);
  const Tensor exact = ops::conv2d(left.to(at::kDouble), {.weight = w.to(at::kDouble)});
  CHECK(gap(ops::conv2d(left, {.weight = w}), exact) < 4e-2);  // by Winograd's algorithm
  CHECK_THROWS(ops::conv2d(left, {.weight = w, .residual = x, .inner = true}));
}

TEST_CASE("Attention in bfloat16 stays within its rounding, gradients too", "[ops][fast]") {
  const auto [heads, d, H, W] = GENERATE(std::array{1, 64, 16, 16}, std::array{2, 32, 8, 8}, std::array{3, 20, 5, 9},
                                         std::array{1, 7, 1, 1}, std::array{1, 40, 13, 11});
  const std::vector<Tensor> inputs{random({2, 3 * heads * d, H, W}, 1)};
  const std::int64_t count = heads;
  const auto attention = [&](const std::vector<Tensor>& in) { return ops::attention(in[0], count); };
  with_blocks([&] { return results(attention, inputs, at::kFloat); }, results(attention, inputs, at::kDouble), 3e-2);
}

}  // namespace edmund::testing
