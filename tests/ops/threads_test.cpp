// Results are a function of their inputs, not of the number of threads: bit for bit.
#include "edmund/ops/threads.h"

#include "../../src/ops/share_sums.h"
#include "edmund/ops/graph.h"
#include "edmund/ops/magnitude.h"
#include "edmund/ops/sum.h"
#include "edmund/ops/tokens.h"
#include "every_table.h"

#include <string>
#include <thread>

using namespace edmund;
using namespace edmund::testing;

namespace {

struct Case {
  std::string name;
  Operation operation;
  std::vector<Tensor> inputs;
};

// B, C, H, W: one image and several, sums of one share and of many, with and without whole tiles
// and vectors; more tiles than a share has, more channels than are summed by blocks of tiles.
constexpr std::int64_t kShapes[][4] = {{3, 20, 7, 9},   {5, 72, 12, 12}, {1, 16, 8, 8},
                                       {8, 32, 16, 16}, {2, 24, 40, 40}, {16, 12, 32, 32}};
constexpr std::size_t kAll = std::size(kShapes), kFew = 2;

void add_convolutions(std::vector<Case>& cases, std::int64_t B, std::int64_t C, std::int64_t H, std::int64_t W) {
  for (const std::int64_t R : {1, 3, 5})
    for (const std::int64_t K : {C, C + 5})
      cases.push_back({"conv " + std::to_string(R),
                       [](const std::vector<Tensor>& in) {
                         return ops::conv2d(
                             in[0],
                             {.weight = in[1], .bias = in[2], .per_sample = in[3], .residual = in[4], .scale = 0.7});
                       },
                       {random({B, C, H, W}, 1), random({K, C, R, R}, 2), random({K}, 3), random({B, K}, 4),
                        random({B, K, H, W}, 5)}});
}

void add_of_images(std::vector<Case>& cases, std::int64_t B, std::int64_t C, std::int64_t H, std::int64_t W) {
  const Tensor x = random({B, C, H, W}, 1), z = random({B, C, H, W}, 2);
  for (const bool adaptive : {false, true})
    for (const double dropout : {0.0, 0.3}) {
      const NormCase norm{.shape = {B, C, H, W}, .adaptive = adaptive, .dropout = dropout};
      cases.push_back({dropout > 0.0 ? "dropout" : "group norm", operation_of(norm), inputs_of(norm)});
    }
  cases.push_back({"max pool", [](const auto& in) { return ops::max_pool(in[0], 1, 1); }, {x}});
  cases.push_back({"concat", [](const auto& in) { return ops::concat(in[0], in[1]); }, {x, z}});
  cases.push_back({"mp_silu", [](const auto& in) { return ops::mp_silu(in[0], in[1]); }, {x, random({B, C}, 3)}});
  cases.push_back({"mp_sum", [](const auto& in) { return ops::mp_sum(in[0], in[1], 0.3); }, {x, z}});
  cases.push_back({"mp_concat", [](const auto& in) { return ops::mp_concat(in[0], in[1], 0.3); }, {x, z}});
  cases.push_back({"normalized", [](const auto& in) { return ops::normalized(in[0], {1}); }, {x}});
  cases.push_back(
      {"filters", [](const auto& in) { return ops::normalized_filters(in[0], 2.0); }, {random({C, C, 3, 3}, 3)}});
  for (const auto& taps : {std::vector<double>{1, 1}, std::vector<double>{1, 3, 3, 1}})
    for (const auto direction : {ops::Resample::kUp, ops::Resample::kDown})
      cases.push_back({"resample", [=](const auto& in) { return ops::resample(in[0], direction, taps); }, {x}});
  if (H * W <= 256) {
    const Tensor qkv = random({B, 3 * C, H, W}, 4);
    for (const std::int64_t heads : {1, 2}) {
      cases.push_back({"attention", [=](const auto& in) { return ops::attention(in[0], heads); }, {qkv}});
      cases.push_back({"heads", [=](const auto& in) { return ops::normalized_heads(in[0], heads); }, {qkv}});
    }
  }
}

void add_of_tokens(std::vector<Case>& cases, std::int64_t B, std::int64_t C, std::int64_t L) {
  const Tensor x = random({B, L, C}, 1), h = random({B, L, C}, 2), a = random({B, C}, 3), b = random({B, C}, 4);
  cases.push_back(
      {"layer norm", [](const auto& in) { return ops::layer_norm_modulate(in[0], in[1], in[2], 1e-6); }, {x, a, b}});
  cases.push_back({"gelu", [](const auto& in) { return ops::gelu_tanh(in[0]); }, {x}});
  cases.push_back({"gated sum", [](const auto& in) { return ops::gated_sum(in[0], in[1], in[2]); }, {h, a, x}});
  cases.push_back({"tokens' attention",
                   [](const auto& in) { return ops::token_attention(in[0], 2); },
                   {random({B, std::min<std::int64_t>(L, 128), 6 * C}, 5)}});
  for (const std::int64_t rows : {B, B * L})
    cases.push_back({"linear",
                     [](const auto& in) { return ops::linear(in[0], in[1], in[2]); },
                     {random({rows, C}, 1), random({3 * C, C}, 2), random({3 * C}, 3)}});
}

// Of every operator but those that never sum (parallel_test, random_test).
std::vector<Case> cases(std::size_t shapes) {
  std::vector<Case> out;
  for (std::size_t i = 0; i < shapes; ++i) {
    const auto& [B, C, H, W] = kShapes[i];
    add_convolutions(out, B, C, H, W);
    add_of_images(out, B, C, H, W);
    add_of_tokens(out, B, C, H * W);
  }
  return out;
}

// Gradient norm and optimizer, on pieces of two lengths.
std::vector<Tensor> optimized() {
  std::vector<ops::GradientPiece> gradient{{0, random({40'000}, 1).to(at::kFloat)},
                                           {40'000, random({77}, 2).to(at::kFloat)}};
  Tensor p = random({40'077}, 3).to(at::kFloat), m = at::zeros_like(p), v = at::zeros_like(p);
  std::vector<Tensor> ema{p.clone(), p.clone()};
  ops::adam_ema(p, gradient, m, v, ema, adam_step());
  return {ops::gradient_norm(gradient), p, m, v, ema[0], ema[1]};
}

std::vector<Tensor> combined() {
  const Tensor x = random({5, 3, 40, 40}, 1).to(at::kFloat), y = random({5, 3, 40, 40}, 2);
  return {0.3 * ops::Sum(x) - 1.7 * ops::Sum(y), 0.3 * ops::Sum(y) + 2.0 * ops::Sum(x)};
}

// The first number of threads whose result differs in a bit from that of one thread; 0 if none
// does.
template <typename Work>
int differing(const Work& work) {
  std::vector<Tensor> one;
  for (const int threads : {1, 2, 3, 4}) {
    at::set_num_threads(threads);
    const ops::LibraryThreads library(2);
    const std::vector<Tensor> found = work();
    if (one.empty()) one = found;
    for (std::size_t i = 0; i < found.size(); ++i)
      if (!found[i].equal(one[i])) return threads;
  }
  return 0;
}

void check(std::size_t shapes) {
  for (const Case& item : cases(shapes)) {
    INFO(item.name << " of " << item.inputs.front().sizes());
    CHECK(differing([&] { return results(item.operation, item.inputs, at::kFloat); }) == 0);
  }
  CHECK(differing(optimized) == 0);
  CHECK(differing(combined) == 0);
}

void check_tables(std::size_t shapes) {
  const Switches switches;
  long count = 0;
  const auto* tables = ops::cpu::kernel_tables(count);
  for (long i = 0; i < count; ++i) {
    ops::cpu::use_kernel_table(*tables[i]);
    INFO(tables[i]->name);
    check(shapes);
  }
}

}  // namespace

TEST_CASE("Fast operators and their gradients are the same bits on any number of threads", "[ops][fast]") {
  check_tables(kFew);
}

TEST_CASE("All operators in all shapes are the same bits on any number of threads", "[ops][slow]") {
  check_tables(kAll);
  const Switches switches;
  ops::set_kernels(ops::Kernels::kReference);
  check(kAll);
}

TEST_CASE("Direct and bfloat16 convolutions are the same bits on any number of threads", "[ops][fast]") {
  const Switches switches;
  const auto precision = GENERATE(ops::Precision::kFp32, ops::Precision::kBf16);
  ops::set_conv_algorithm(GENERATE(ops::ConvAlgorithm::kDirect, ops::ConvAlgorithm::kWinograd));
  ops::set_precision(precision);
  std::vector<Case> convolutions;
  for (std::size_t i = 0; i < kFew; ++i)
    add_convolutions(convolutions, kShapes[i][0], kShapes[i][1], kShapes[i][2], kShapes[i][3]);
  for (const Case& item : convolutions) {
    INFO(item.name << " of " << item.inputs.front().sizes());
    CHECK(differing([&] { return results(item.operation, item.inputs, at::kFloat); }) == 0);
  }
}

TEST_CASE("The reference is the same bits on any number of threads", "[ops]") {
  const Switches switches;
  ops::set_kernels(ops::Kernels::kReference);
  check(1);
}

TEST_CASE("What is made of an image does not depend on the others of its batch", "[ops][fast]") {
  constexpr std::int64_t kImages = 40;  // beyond what linear layers take for few rows
  const at::NoGradGuard no_grad;
  on_every_table([] {
    std::vector<Case> all;
    add_convolutions(all, kImages, 20, 7, 9);
    add_convolutions(all, kImages, 72, 4, 4);
    add_of_images(all, kImages, 24, 8, 8);
    add_of_tokens(all, kImages, 24, 16);
    for (const Case& item : all) {
      std::vector<Tensor> inputs;
      for (const Tensor& x : item.inputs) inputs.push_back(x.to(at::kFloat));
      const std::int64_t batch = inputs[0].size(0);
      // a weight; draws that belong to a place in the batch
      if (item.name == "filters" || item.name == "dropout") continue;
      const Tensor whole = item.operation(inputs);
      for (const auto& [first, count] : {std::pair<std::int64_t, std::int64_t>{0, 1}, {3, 5}, {batch - 1, 1}}) {
        std::vector<Tensor> some = inputs;
        for (Tensor& x : some)
          if (x.size(0) == batch) x = x.narrow(0, first, count).clone();
        INFO(item.name << " of " << inputs[0].sizes() << ", " << count << " from " << first << " on");
        CHECK(item.operation(some).equal(whole.narrow(0, first, count)));
      }
    }
  });
}

TEST_CASE("LibTorch's own operators do depend on threads where nothing holds theirs", "[ops]") {
  const Switches switches;
  const Tensor x = random({1'000'003}, 1).to(at::kFloat);
  const auto sum_on = [&](int threads) {
    at::set_num_threads(threads);
    return x.sum();
  };
  CHECK_FALSE((sum_on(1).equal(sum_on(2)) && sum_on(1).equal(sum_on(3)) && sum_on(1).equal(sum_on(4))));
}

TEST_CASE("LibraryThreads hold LibTorch's threads of this thread, and no others", "[ops]") {
  const Switches switches;
  at::set_num_threads(3);
  {
    const ops::LibraryThreads outer(2);
    CHECK(ops::threads() == 3);
    CHECK(at::get_num_threads() == 2);
    {
      const ops::LibraryThreads inner(1), as_before(0);
      CHECK(ops::threads() == 3);
      CHECK(at::get_num_threads() == 1);
    }
    CHECK(at::get_num_threads() == 2);
    int in_other = 0;
    std::thread([&] { in_other = at::get_num_threads(); }).join();
    CHECK(in_other == 3);
  }
  CHECK(ops::threads() == 3);
  CHECK(at::get_num_threads() == 3);
}

TEST_CASE("Shares are a power of two, of the least size or larger", "[ops]") {
  for (const std::int64_t most : {1, 8, 16})
    for (std::int64_t units = 1; units < 3000; ++units) {
      const std::int64_t shares = ops::shares_of(units, 100, most);
      INFO(units << " units in " << shares << " shares of at most " << most);
      CHECK((shares & (shares - 1)) == 0);
      CHECK((shares == 1 || units / shares >= 100));
      CHECK((2 * shares > most || units / (2 * shares) < 100));
    }
}

TEST_CASE("Shares are added in their order", "[ops]") {
  // rounding tells the order: 1 is lost beside 1e8
  std::vector<float> sums{1e8F, 1.0F, 9.0F, 1.0F, -1e8F, 9.0F, -1e8F, 1e8F, 9.0F};
  const float* total = ops::add_shares(sums.data(), 3, 2, 3);
  CHECK(total[0] == 0.0F);
  CHECK(total[1] == 0.0F);
  CHECK(sums[2] == 9.0F);
}
