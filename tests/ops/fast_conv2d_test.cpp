// Fast convolutions and linear layers against the reference in double precision, and the packed
// weights that they cache.
#include "../../src/ops/packed_weights.h"
#include "every_table.h"

#include <array>
#include <optional>

using namespace edmund;
using testing::compare, testing::gap, testing::kSizes, testing::on_every_table, testing::Operation, testing::random,
    testing::results, testing::Switches;

TEST_CASE("Fast convolutions equal the reference", "[ops][fast]") {
  const auto conv = GENERATE(ops::ConvAlgorithm::kWinograd, ops::ConvAlgorithm::kDirect);
  const std::int64_t R = GENERATE(1, 3, 5);
  const bool all = GENERATE(true, false);
  for (const auto& s : kSizes) {
    const std::int64_t B = s[0], C = s[1], H = s[2], W = s[3], K = C == 3 ? 32 : C == 32 ? 3 : C + 5;
    INFO("B " << B << " C " << C << " H " << H << " W " << W << " R " << R);
    std::vector<Tensor> inputs{random({B, C, H, W}, 1), random({K, C, R, R}, 2)};
    if (all) {
      inputs.push_back(random({K}, 3));
      inputs.push_back(random({B, K}, 4));
      inputs.push_back(random({B, K, H, W}, 5));
    }
    // Winograd's transforms amplify rounding by about 10; the weights' gradient sums all pixels.
    compare(
        [&](const std::vector<Tensor>& in) {
          if (in[0].scalar_type() == at::kFloat) ops::set_conv_algorithm(conv);
          if (!all) return ops::conv2d(in[0], {.weight = in[1]});
          return ops::conv2d(in[0],
                             {.weight = in[1], .bias = in[2], .per_sample = in[3], .residual = in[4], .scale = 0.7});
        },
        inputs, conv == ops::ConvAlgorithm::kWinograd ? 2e-5 : 2e-6);
  }
}

TEST_CASE("Filters of all shapes, padded or not, equal the reference", "[ops][fast]") {
  const auto conv = GENERATE(ops::ConvAlgorithm::kWinograd, ops::ConvAlgorithm::kDirect);
  const auto [R, S] = GENERATE(std::array{3, 3}, std::array{5, 5}, std::array{1, 3}, std::array{3, 1}, std::array{1, 7},
                               std::array{7, 1}, std::array{1, 1}, std::array{5, 3});
  const std::optional<std::int64_t> padding =
      GENERATE(std::optional<std::int64_t>(), std::optional<std::int64_t>(0), std::optional<std::int64_t>(2));
  // The second has so many channels for its tiles that threads share those instead of tiles.
  for (const auto& s : {std::array{2, 20, 17, 9, 37}, std::array{1, 200, 9, 8, 70}, std::array{2, 16, 7, 7, 48}}) {
    INFO("channels " << s[1] << ", filter " << R << " x " << S << ", padding " << padding.value_or(-1));
    const Tensor x = random({s[0], s[1], s[2], s[3]}, 1), weight = random({s[4], s[1], R, S}, 2),
                 bias = random({s[4]}, 3);
    const Tensor exact = ops::conv2d(x, {.weight = weight, .bias = bias, .padding = padding, .relu = true});
    CHECK(exact.min().item<double>() == 0.0);
    on_every_table([&] {
      ops::set_conv_algorithm(conv);
      const Tensor found =
          ops::conv2d(x.to(at::kFloat),
                      {.weight = weight.to(at::kFloat), .bias = bias.to(at::kFloat), .padding = padding, .relu = true});
      // sums of up to 5,000 products
      CHECK(gap(found, exact) < (conv == ops::ConvAlgorithm::kWinograd ? 2e-5 : 5e-6));
    });
  }
}

TEST_CASE("Gradients of many channels equal the reference, summed over one chunk of tiles or two", "[ops][fast]") {
  for (const auto& s : {std::array{1, 16, 16}, std::array{5, 28, 27}}) {
    INFO("B " << s[0]);
    compare([](const std::vector<Tensor>& in) { return ops::conv2d(in[0], {.weight = in[1]}); },
            {random({s[0], 200, s[1], s[2]}, 1), random({330, 200, 3, 3}, 2)}, 2e-5);
  }
}

TEST_CASE("Convolutions in bfloat16 stay within its rounding where the CPU has it", "[ops][fast]") {
  const std::int64_t R = GENERATE(1, 3);
  for (const auto& s : kSizes) {
    const std::int64_t B = s[0], C = s[1], K = C + 5;
    const std::vector<Tensor> inputs{random({B, C, s[2], s[3]}, 1), random({K, C, R, R}, 2), random({K}, 3),
                                     random({B, K, s[2], s[3]}, 4)};
    const Operation conv = [](const std::vector<Tensor>& in) {
      ops::set_conv_algorithm(ops::ConvAlgorithm::kDirect);
      ops::set_precision(in[0].scalar_type() == at::kFloat ? ops::Precision::kBf16 : ops::Precision::kFp32);
      return ops::conv2d(in[0], {.weight = in[1], .bias = in[2], .residual = in[3], .scale = 0.7});
    };
    compare(conv, inputs, 1e-2);
    if (!ops::cpu::has_bf16()) continue;
    const Switches switches;
    std::vector<Tensor> single;
    for (const auto& input : inputs) single.push_back(input.to(at::kFloat));
    CHECK(gap(conv(single), conv(inputs)) > 1e-5);  // it was not float32
  }
}

TEST_CASE("Our convolutions in bfloat16 stay within its rounding, by any algorithm", "[ops][fast]") {
  const Switches switches;
  const std::int64_t R = GENERATE(1, 3), many = GENERATE(0, 150);
  const Operation conv = [](const std::vector<Tensor>& in) {
    return ops::conv2d(in[0], {.weight = in[1], .bias = in[2], .residual = in[3], .scale = 0.7});
  };
  const auto check = [&](const ops::cpu::KernelTable& table, const ops::cpu::Bf16Kernels* kernels) {
    ops::cpu::use_kernel_table(table);
    ops::cpu::use_bf16_kernels(kernels);
    for (const auto& s : kSizes) {
      const std::int64_t B = s[0], C = s[1] + many, K = C + 5;
      const std::vector<Tensor> inputs{random({B, C, s[2], s[3]}, 1), random({K, C, R, R}, 2), random({K}, 3),
                                       random({B, K, s[2], s[3]}, 4)};
      INFO(table.name << " " << kernels->name << ", B " << B << ", C " << C << ", " << s[2] << " x " << s[3]);
      ops::set_precision(ops::Precision::kFp32);
      const auto exact = results(conv, inputs, at::kDouble);
      ops::set_precision(ops::Precision::kBf16);
      const auto found = results(conv, inputs, at::kFloat);
      // result, gradients of input and weight; those of what is added are float32's
      for (std::size_t i = 0; i < found.size(); ++i) {
        INFO("result " << i);
        CHECK(gap(found[i], exact[i]) < (R == 1 ? 1e-2 : 4e-2));
      }
      CHECK(gap(found[0], exact[0]) > 1e-5);  // it was not float32
    }
  };
  long count = 0;
  const auto* const choices = ops::cpu::bf16_choices(count);
  for (long i = 0; i < count; ++i) check(*choices[i].table, choices[i].kernels);
}

TEST_CASE("Direct convolutions in bfloat16 are exact products, however pixels are cut", "[ops][fast]") {
  // Rows of whole blocks of pixels and others, odd ones; several images and several rows of one at
  // a time; more pixels than are summed at once for a gradient.
  const auto [B, C, H, W, K] =
      GENERATE(std::array{6, 40, 32, 32, 24}, std::array{1, 70, 9, 7, 33}, std::array{3, 33, 48, 16, 40},
               std::array{2, 130, 4, 4, 50}, std::array{1, 512, 3, 32, 8}, std::array{2, 3, 5, 1, 40});
  const std::int64_t R = GENERATE(1, 3);
  const Switches switches;
  const auto rounded = [](const Tensor& x) { return x.to(at::kBFloat16).to(at::kFloat); };
  const Tensor x = rounded(random({B, C, H, W}, 1)), w = rounded(random({K, C, R, R}, 2)),
               dy = rounded(random({B, K, H, W}, 3));
  const auto with_gradients = [&](at::ScalarType dtype) {
    const Tensor input = x.to(dtype).clone().requires_grad_(), weight = w.to(dtype).clone().requires_grad_();
    const Tensor y = ops::conv2d(input, {.weight = weight});
    (y * dy.to(dtype)).sum().backward();
    return std::vector<Tensor>{y.detach(), input.grad(), weight.grad()};
  };
  const auto exact = with_gradients(at::kDouble);
  ops::set_precision(ops::Precision::kBf16);
  long count = 0;
  const auto* const choices = ops::cpu::bf16_choices(count);
  for (long i = 0; i < count; ++i) {
    if (choices[i].kernels->direct == nullptr) continue;
    ops::cpu::use_kernel_table(*choices[i].table);
    ops::cpu::use_bf16_kernels(choices[i].kernels);
    std::vector<Tensor> first;
    for (const std::int64_t cache : {1 << 17, 1 << 21})
      for (const int threads : {1, 3}) {
        INFO(choices[i].table->name << ", cache " << cache << ", " << threads << " threads, R " << R << ", C " << C);
        ops::cpu::use_cache_budget(ops::cpu::budget_of(cache));
        at::set_num_threads(threads);
        const auto found = with_gradients(at::kFloat);
        // float32's sums
        for (std::size_t n = 0; n < found.size(); ++n) CHECK(gap(found[n], exact[n]) < 5e-6);
        if (first.empty()) first = found;
        for (std::size_t n = 0; n < found.size(); ++n) CHECK(found[n].equal(first[n]));
      }
  }
}

TEST_CASE("Fast linear layers equal the reference", "[ops][fast]") {
  const auto [B, I, O] =
      GENERATE(std::array{1, 1, 1}, std::array{3, 17, 7}, std::array{8, 128, 66}, std::array{5, 512, 9},
               std::array{33, 17, 7}, std::array{600, 64, 130}, std::array{1100, 20, 33});
  const Tensor x = random({B, I}, 1), w = random({O, I}, 2), b = random({O}, 3);
  compare([](const std::vector<Tensor>& in) { return ops::linear(in[0], in[1], in[2]); }, {x, w, b}, 2e-6);
  compare([](const std::vector<Tensor>& in) { return ops::linear(in[0], in[1], {}); }, {x, w}, 2e-6);
}

TEST_CASE("Convolutions have the same bits whatever the size of the cache", "[ops][fast]") {
  // Many tiles, few tiles of many channels, a filter that fits half of the largest cache; 1×1.
  const auto [B, C, H, K, R] = GENERATE(std::array{4, 24, 32, 40, 3}, std::array{1, 96, 8, 160, 3},
                                        std::array{16, 80, 8, 84, 3}, std::array{2, 64, 32, 96, 1});
  const Tensor x = random({B, C, H, H}, 1).to(at::kFloat).requires_grad_(),
               w = random({K, C, R, R}, 2).to(at::kFloat).requires_grad_();
  const auto results = [&] {
    x.mutable_grad() = w.mutable_grad() = Tensor();
    ops::conv2d(x, {.weight = w}).square().sum().backward();
    const at::NoGradGuard no_grad;
    return std::vector{ops::conv2d(x, {.weight = w}), x.grad(), w.grad()};
  };
  on_every_table([&] {
    ops::cpu::use_cache_budget(ops::cpu::budget_of(0));
    const auto usual = results();
    for (const std::int64_t kibibytes : {64, 256, 512, 2048, 16384}) {
      ops::cpu::use_cache_budget(ops::cpu::budget_of(kibibytes << 10));
      const auto found = results();
      for (std::size_t i = 0; i < usual.size(); ++i) CHECK(found[i].equal(usual[i]));
    }
  });
}

TEST_CASE("The cache's share of each limit is stated", "[ops][fast]") {
  const auto budget = ops::cpu::budget_of(2 << 20);
  CHECK(budget.winograd_tiles == 163'840);
  CHECK(budget.winograd_products == 65'536);
  CHECK(budget.shared_filter == 262'144);
  CHECK(budget.gemm_rows == 65'536);
  // shared by cores
  CHECK(ops::cpu::budget_of(32 << 20).gemm_rows == budget.gemm_rows);
  CHECK(ops::cpu::budget_of(0).gemm_rows == ops::cpu::budget_of(1 << 20).gemm_rows);  // unknown
}

TEST_CASE("Packed weights are cached until the weight changes, whatever changes it", "[ops][fast]") {
  const Switches switches;
  const at::NoGradGuard no_grad;
  const std::int64_t R = GENERATE(1, 3);
  const Tensor x = random({1, 16, 8, 8}, 1).to(at::kFloat);
  Tensor w = random({16, 16, R, R}, 2).to(at::kFloat).requires_grad_();
  const auto right = [&] {
    return gap(ops::conv2d(x, {.weight = w}), at::conv2d(x.to(at::kDouble), w.to(at::kDouble), {}, 1, R / 2)) < 1e-5;
  };
  REQUIRE(right());
  const auto made = ops::cpu::packed_weight_count();
  REQUIRE(right());
  CHECK(ops::cpu::packed_weight_count() == made);

  w.copy_(random(w.sizes(), 3));  // load_state
  CHECK(right());
  w.set_data(random(w.sizes(), 4).to(at::kFloat));  // flat memory adopts it
  CHECK(right());
  w.view(-1)[5] += 1.0;
  CHECK(right());

  // The optimizer writes through flat memory, of which the parameter is a view that counts versions
  // for itself.
  Tensor flat = random({w.numel()}, 5).to(at::kFloat), g = at::ones_like(flat), m = at::zeros_like(flat),
         v = at::zeros_like(flat);
  w.set_data(flat.view(w.sizes()));
  CHECK(right());
  std::vector<Tensor> none;
  ops::adam_ema(flat, {{0, g}}, m, v, none, {.learning_rate = 0.1});
  CHECK(right());
  flat.data_ptr<float>()[7] += 1.0F;
  ops::weights_changed();
  CHECK(right());

  // A weight of a training step is not cached: changes need no notification.
  const at::AutoGradMode grad(true);
  for (int i = 0; i < 2; ++i) {
    flat.data_ptr<float>()[8] += 1.0F;
    CHECK(right());
  }
}

TEST_CASE("A weight that takes the place of a dead one is packed anew", "[ops][fast]") {
  const Switches switches;
  const at::NoGradGuard no_grad;
  const Tensor x = random({1, 16, 4, 4}, 1).to(at::kFloat);
  for (std::int64_t i = 0; i < 20; ++i) {
    const Tensor w = random({16, 16, 3, 3}, i).to(at::kFloat);
    REQUIRE(gap(ops::conv2d(x, {.weight = w}), at::conv2d(x.to(at::kDouble), w.to(at::kDouble), {}, 1, 1)) < 1e-5);
  }
}

TEST_CASE("Fast operators take what lies in any order and leave it channels-last", "[ops][fast]") {
  const Switches switches;
  const Tensor x = random({2, 16, 8, 8}, 1).to(at::kFloat), w = random({16, 16, 3, 3}, 2).to(at::kFloat);
  const Tensor plain = ops::conv2d(x, {.weight = w});
  CHECK(plain.is_contiguous(at::MemoryFormat::ChannelsLast));
  CHECK(ops::conv2d(x.contiguous(at::MemoryFormat::ChannelsLast), {.weight = w}).equal(plain));
  const Tensor turned = x.transpose(2, 3).contiguous().transpose(2, 3);
  CHECK(ops::conv2d(turned, {.weight = w}).equal(plain));
}
