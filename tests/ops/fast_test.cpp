// The fast CPU operators against the reference in double precision, gradients included: every instruction set that this machine has, one thread and
// two, sizes that fill no vector and no tile.
#include "../../src/ops/cpu/kernels.h"
#include "../../src/ops/packed_weights.h"
#include "edmund/ops/combine.h"
#include "edmund/ops/device.h"
#include "edmund/ops/ops.h"
#include "operation.h"
#include "support/catch.h"

#include <array>
#include <ATen/Parallel.h>
#include <cmath>
#include <functional>
#include <limits>
#include <mutex>
#include <numbers>
#include <optional>
#include <set>
#include <thread>
#include <vector>

using namespace edmund;
using testing::gap, testing::Operation, testing::random, testing::results;

namespace {

constexpr std::int64_t kSizes[][4] = {{2, 16, 8, 8},  {1, 3, 32, 32}, {3, 20, 7, 7}, {1, 32, 28, 28},
                                      {2, 48, 5, 12}, {5, 8, 1, 1},   {1, 64, 4, 4}, {2, 33, 14, 14}};

// Restores what a test switches.
struct Switches {
  const ops::cpu::KernelTable& table = ops::cpu::kernel_table();
  int threads = at::get_num_threads();
  Switches() { ops::set_kernels(ops::Kernels::kFast); }
  ~Switches() {
    ops::set_kernels(ops::Kernels::kReference);
    ops::set_conv(ops::Conv::kWinograd);
    ops::set_precision(ops::Precision::kFp32);
    ops::cpu::use_kernel_table(table);
    at::set_num_threads(threads);
  }
};

// Runs body() with every instruction set that this machine has, on one thread and on two.
template <typename Body>
void on_every_table(const Body& body) {
  const Switches switches;
  long count = 0;
  const auto* tables = ops::cpu::kernel_tables(count);
  for (long i = 0; i < count; ++i)
    for (const int threads : {1, 2}) {
      ops::cpu::use_kernel_table(*tables[i]);
      at::set_num_threads(threads);
      INFO(tables[i]->name << ", " << threads << " threads");
      body();
    }
}

// In double precision every operator is the reference's.
void compare(const Operation& operation, const std::vector<Tensor>& inputs, double tolerance) {
  const Switches switches;
  const auto exact = results(operation, inputs, at::kDouble);
  on_every_table([&] {
    const auto found = results(operation, inputs, at::kFloat);
    REQUIRE(found.size() == exact.size());
    for (std::size_t k = 0; k < found.size(); ++k) {
      INFO("result " << k << " of " << found.size());
      REQUIRE(found[k].sizes() == exact[k].sizes());
      CHECK(gap(found[k], exact[k]) < tolerance);
    }
  });
}

}  // namespace

TEST_CASE("Fast convolutions equal the reference", "[ops][fast]") {
  const auto conv = GENERATE(ops::Conv::kWinograd, ops::Conv::kExact);
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
          if (in[0].scalar_type() == at::kFloat) ops::set_conv(conv);
          if (!all) return ops::conv2d(in[0], {.weight = in[1]});
          return ops::conv2d(in[0],
                             {.weight = in[1], .bias = in[2], .per_sample = in[3], .residual = in[4], .scale = 0.7});
        },
        inputs, conv == ops::Conv::kWinograd ? 2e-5 : 2e-6);
  }
}

TEST_CASE("Filters of all shapes, padded or not, equal the reference", "[ops][fast]") {
  const auto conv = GENERATE(ops::Conv::kWinograd, ops::Conv::kExact);
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
      ops::set_conv(conv);
      const Tensor found =
          ops::conv2d(x.to(at::kFloat),
                      {.weight = weight.to(at::kFloat), .bias = bias.to(at::kFloat), .padding = padding, .relu = true});
      CHECK(gap(found, exact) < (conv == ops::Conv::kWinograd ? 2e-5 : 5e-6));  // sums of up to 5,000 products
    });
  }
}

TEST_CASE("Convolutions in bfloat16 stay within its rounding where the CPU has it", "[ops][fast]") {
  const std::int64_t R = GENERATE(1, 3);
  for (const auto& s : kSizes) {
    const std::int64_t B = s[0], C = s[1], K = C + 5;
    const std::vector<Tensor> inputs{random({B, C, s[2], s[3]}, 1), random({K, C, R, R}, 2), random({K}, 3),
                                     random({B, K, s[2], s[3]}, 4)};
    const Operation conv = [](const std::vector<Tensor>& in) {
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

TEST_CASE("Fast normalization equals the reference, with and without what follows it", "[ops][fast]") {
  const bool silu = GENERATE(true, false), adaptive = GENERATE(true, false);
  const double dropout = GENERATE(0.0, 0.3), mean = GENERATE(0.0, 30.0);
  for (const auto& s : kSizes) {
    const std::int64_t B = s[0], C = s[1], H = s[2], W = s[3];
    INFO("B " << B << " C " << C << " H " << H << " W " << W << " dropout " << dropout << " mean " << mean);
    if (H * W == 1) continue;  // groups of few elements have no digits left
    std::vector<Tensor> inputs{random({B, C, H, W}, 1) + mean, random({C}, 2), random({C}, 3)};
    if (adaptive) {
      inputs.push_back(random({B, C}, 4));
      inputs.push_back(random({B, C}, 5));
    }
    ops::DropoutKey key{.seed = 5};
    for (std::int64_t i = 0; i < B; ++i) key.samples.push_back(i * (std::int64_t{1} << 35) + 7);
    compare(
        [&](const std::vector<Tensor>& in) {
          return ops::group_norm_silu(in[0], {.groups = C % 4 == 0   ? C / 4
                                                        : C % 3 == 0 ? 3
                                                                     : 1,
                                              .eps = 1e-5,
                                              .weight = in[1],
                                              .bias = in[2],
                                              .scale = adaptive ? in[3] : Tensor(),
                                              .shift = adaptive ? in[4] : Tensor(),
                                              .silu = silu,
                                              .dropout = dropout,
                                              .key = &key,
                                              .layer = 3});
        },
        inputs, mean == 0.0 ? 1e-5 : 3e-4);  // a mean of 30 takes 1.5 digits of x's own
  }
}

TEST_CASE("Fast attention equals the reference", "[ops][fast]") {
  const std::int64_t heads = GENERATE(1, 2);
  for (const std::int64_t size : {1, 4, 7, 16})
    compare([&](const std::vector<Tensor>& in) { return ops::attention(in[0], heads); },
            {random({2, 3 * 24, size, size}, 1)}, 2e-5);
}

TEST_CASE("Fast linear layers equal the reference", "[ops][fast]") {
  const auto [B, I, O] =
      GENERATE(std::array{1, 1, 1}, std::array{3, 17, 7}, std::array{8, 128, 66}, std::array{5, 512, 9});
  const Tensor x = random({B, I}, 1), w = random({O, I}, 2), b = random({O}, 3);
  compare([](const std::vector<Tensor>& in) { return ops::linear(in[0], in[1], in[2]); }, {x, w, b}, 2e-6);
  compare([](const std::vector<Tensor>& in) { return ops::linear(in[0], in[1], {}); }, {x, w}, 2e-6);
}

TEST_CASE("Every instruction set draws the normal numbers of Box and Muller's formula", "[ops][fast]") {
  std::vector<std::uint32_t> words{0, 0, ~0U, ~0U, 0x80000000U, 0x40000000U, 0x7fffffffU, 0xc0000000U, 1, 0x20000000U};
  for (std::uint32_t i = 0; i < 20'000; ++i) words.push_back(i * 2654435761U ^ i << 13);
  long tables = 0;
  const auto* table = ops::cpu::kernel_tables(tables);
  for (long t = 0; t < tables; ++t)
    for (const std::size_t count : {words.size(), std::size_t{2}, std::size_t{14}}) {
      std::vector<double> found(count);
      table[t]->normal(words.data(), static_cast<long>(count), found.data());
      for (std::size_t i = 0; i < count; i += 2) {
        const double first = (words[i] + 0.5) * 0x1p-32, second = (words[i + 1] + 0.5) * 0x1p-32;
        const double radius = std::sqrt(-2 * std::log(first)), angle = 2 * std::numbers::pi * second;
        REQUIRE(std::abs(found[i] - radius * std::cos(angle)) < 1e-14);
        REQUIRE(std::abs(found[i + 1] - radius * std::sin(angle)) < 1e-14);
      }
    }
}

TEST_CASE("Combining images of any types and memory orders equals the reference on every instruction set",
          "[ops][fast]") {
  const Switches switches;
  long count = 0;
  const auto* tables = ops::cpu::kernel_tables(count);
  const auto order = GENERATE(at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast);
  const auto type = GENERATE(at::kDouble, at::kFloat, at::kBFloat16, at::kHalf);
  const double unit = type == at::kDouble  ? 0x1p-53
                      : type == at::kFloat ? 0x1p-24
                      : type == at::kHalf  ? 0x1p-11
                                           : 0x1p-8;
  const ops::Draw draw{7, Stream::kLatent, at::tensor({std::int64_t{3}, std::int64_t{8}}), 9, at::kFloat};
  for (const std::int64_t size : {1, 7, 40}) {
    const auto image = [&](std::int64_t seed, at::ScalarType own) { return random({2, 3, size, size}, seed).to(own); };
    const Tensor x = image(1, type).contiguous(order), y = image(2, at::kFloat), z = image(3, at::kDouble),
                 last = image(4, at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
    const auto sums = [&] {
      return std::vector<Tensor>{ops::combine({{1.25, x}}), ops::combine({{1.25, x}, {-0.3, y}}),
                                 ops::combine({{1.25, x}, {0.5, z.transpose(2, 3)}, {2.0, draw}}),
                                 ops::combine({{1.25, x}, {}, {-0.3, y}, {0.5, z}, {-2.0, last}}),
                                 ops::network_input(0.7, x, at::kFloat)};
    };
    ops::set_kernels(ops::Kernels::kReference);
    const auto exact = sums();
    CHECK(gap(exact[1], 1.25 * x.to(at::kDouble) - 0.3 * y.to(at::kDouble)) <= unit);
    ops::set_kernels(ops::Kernels::kFast);
    for (long i = 0; i < count; ++i) {
      ops::cpu::use_kernel_table(*tables[i]);
      const auto found = sums();
      for (std::size_t k = 0; k < found.size(); ++k) {
        INFO("sum " << k << " of " << size << ", " << type);
        CHECK(found[k].scalar_type() == exact[k].scalar_type());
        if (k < 4 && size > 1) CHECK(found[k].is_contiguous(order));
        CHECK(gap(found[k], exact[k].to(at::kDouble)) <= 4 * unit);  // rounded once, what was summed in another order
      }
    }
  }
}

TEST_CASE("Gradients pass through a combination", "[ops][fast]") {
  const Switches switches;
  const Tensor x = random({2, 3, 4, 4}, 1).requires_grad_(),
               y = random({2, 3, 4, 4}, 2).to(at::kFloat).requires_grad_();
  ops::combine({{1.25, x}, {-0.3, y}}).sum().backward();
  CHECK((x.grad() == 1.25).all().item<bool>());
  CHECK(gap(y.grad(), at::full_like(x, -0.3).detach()) < 1e-7);
}

TEST_CASE("Fast resampling and joining equal the reference", "[ops][fast]") {
  for (const auto& s : kSizes) {
    const Tensor x = random({s[0], s[1], s[2] * 2, s[3] * 2}, 1);
    for (const auto direction : {ops::Resample::kUp, ops::Resample::kDown})
      compare([&](const std::vector<Tensor>& in) { return ops::resample(in[0], direction, {1, 1}); }, {x}, 1e-6);
    compare([&](const std::vector<Tensor>& in) { return ops::concat(in[0], in[1]); },
            {x, random({s[0], 7, s[2] * 2, s[3] * 2}, 2)}, 1e-7);
  }
}

TEST_CASE("Fast dropout drops the very elements that the reference drops", "[ops][fast]") {
  const Switches switches;
  const ops::DropoutKey key{.seed = 11, .samples = {3, (std::int64_t{1} << 40) + 5}};
  const std::int64_t H = GENERATE(8, 7, 6, 1), C = 20;
  const auto mask = [&] {
    return ops::group_norm_silu(at::zeros({2, C, H, H + 1}), {.groups = 1,
                                                              .weight = at::zeros({C}),
                                                              .bias = at::ones({C}),
                                                              .silu = false,
                                                              .dropout = 0.3,
                                                              .key = &key,
                                                              .layer = 9});
  };
  ops::set_kernels(ops::Kernels::kReference);
  const Tensor reference = mask();
  ops::set_kernels(ops::Kernels::kFast);
  long count = 0;
  const auto* tables = ops::cpu::kernel_tables(count);
  for (long i = 0; i < count; ++i) {
    ops::cpu::use_kernel_table(*tables[i]);
    CHECK(mask().equal(reference));
  }
}

TEST_CASE("Every instruction set draws Philox's words", "[ops][fast]") {
  const RandomKey key{0x123456789abcdef0, Stream::kLatent, (std::uint64_t{1} << 40) + 5, 9};
  const std::uint32_t seed[2] = {0x9abcdef0, 0x12345678};
  const std::uint32_t counter[3] = {9, 5, (1U << 8) ^ (static_cast<std::uint32_t>(Stream::kLatent) << 24)};
  long count = 0;
  const auto* tables = ops::cpu::kernel_tables(count);
  for (long i = 0; i < count; ++i) {
    std::vector<std::uint32_t> words(4 * 37);
    tables[i]->philox(seed, counter, 0xfffffff0, 37, words.data());  // the counter wraps
    for (std::uint32_t block = 0; block < 37; ++block)
      for (std::uint32_t lane = 0; lane < 4; ++lane)
        REQUIRE(words[4 * block + lane] == key.words(0xfffffff0 + block)[lane]);
  }
}

TEST_CASE("The fast optimizer step equals the reference", "[ops][fast]") {
  const Switches switches;
  const ops::AdamStep args{.learning_rate = 3e-2,
                           .beta1 = 0.8,
                           .beta2 = 0.95,
                           .weight_decay = 0.05,
                           .step = 3,
                           .zero_nonfinite = true,
                           .gradient_scale = 0.5,
                           .ema_beta = {0.1, 0.9}};
  const std::int64_t size = 20'011;
  const auto state = [&](at::ScalarType dtype) {
    std::vector<Tensor> out;
    for (std::int64_t i = 0; i < 6; ++i) out.push_back(random({size}, i).to(dtype));
    out[3].square_();
    out[1][0] = std::numeric_limits<double>::infinity();
    out[1][1] = -std::numeric_limits<double>::infinity();
    out[1][2] = std::numeric_limits<double>::quiet_NaN();
    std::vector<Tensor> ema{out[4], out[5]};
    ops::adam_ema(out[0], out[1], out[2], out[3], ema, args);
    return out;
  };
  const auto exact = state(at::kDouble);
  long count = 0;
  const auto* tables = ops::cpu::kernel_tables(count);
  for (long i = 0; i < count; ++i)
    for (const int threads : {1, 2}) {
      ops::cpu::use_kernel_table(*tables[i]);
      at::set_num_threads(threads);
      const auto found = state(at::kFloat);
      for (std::size_t k = 0; k < found.size(); ++k) {
        INFO(tables[i]->name << ", tensor " << k);
        CHECK(((found[k].to(at::kDouble) - exact[k]).abs() <= 2e-6 * (1 + exact[k].abs())).all().item<bool>());
      }
    }
}

TEST_CASE("Forms of a weight are kept until the weight changes, whatever changes it", "[ops][fast]") {
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

  // The optimizer writes through flat memory, of which the parameter is a view that counts versions for itself.
  Tensor flat = random({w.numel()}, 5).to(at::kFloat), g = at::ones_like(flat), m = at::zeros_like(flat),
         v = at::zeros_like(flat);
  w.set_data(flat.view(w.sizes()));
  CHECK(right());
  std::vector<Tensor> none;
  ops::adam_ema(flat, g, m, v, none, {.learning_rate = 0.1});
  CHECK(right());
  flat.data_ptr<float>()[7] += 1.0F;
  ops::weights_changed();
  CHECK(right());

  // A weight of a training step is not kept, so that nobody need say anything.
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

TEST_CASE("at::parallel_for in our files uses more than one thread", "[ops][fast]") {
  const Switches switches;
  at::set_num_threads(2);
  std::mutex mutex;
  std::set<std::thread::id> seen;
  at::parallel_for(0, 64, 1, [&](std::int64_t, std::int64_t) {
    const std::scoped_lock lock(mutex);
    seen.insert(std::this_thread::get_id());
  });
  CHECK(seen.size() == 2);
}
