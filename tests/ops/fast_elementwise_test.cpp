// Fast sums, resampling, pooling, joining and the optimizer step against the reference in double
// precision.
#include "edmund/ops/sum.h"
#include "every_table.h"

#include <array>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

using namespace edmund;
using testing::compare, testing::gap, testing::kSizes, testing::on_every_table, testing::random, testing::Switches;

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
      return std::vector<Tensor>{1.25 * ops::Sum(x), 1.25 * ops::Sum(x) - 0.3 * ops::Sum(y),
                                 1.25 * ops::Sum(x) + 0.5 * ops::Sum(z.transpose(2, 3)) + 2.0 * ops::Sum(draw),
                                 1.25 * ops::Sum(x) - 0.3 * ops::Sum(y) + 0.5 * ops::Sum(z) - 2.0 * ops::Sum(last),
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
        // rounded once, what was summed in another order
        CHECK(gap(found[k], exact[k].to(at::kDouble)) <= 4 * unit);
      }
    }
  }
}

TEST_CASE("A sum is linear, joins the terms of one tensor and is a lone tensor itself", "[ops][fast]") {
  const Switches switches;
  const Tensor x = random({2, 3, 4, 4}, 1), y = random({2, 3, 4, 4}, 2).to(at::kFloat);
  const ops::Draw draw{7, Stream::kLatent, at::tensor({std::int64_t{3}, std::int64_t{8}}), 9};
  const ops::Sum n(draw), slope = (ops::Sum(y) - x) / 4.0;
  for (const auto kernels : {ops::Kernels::kReference, ops::Kernels::kFast}) {
    ops::set_kernels(kernels);
    const Tensor wide = y.to(at::kDouble);
    const Tensor found = x + 0.5 * (slope + 2 * slope) - (n + 3 * n) + ops::Sum();
    CHECK(found.scalar_type() == at::kDouble);
    CHECK(gap(found, x + 0.375 * (wide - x) - 4 * ops::normal(draw, {3, 4, 4})) < 1e-15);
    CHECK(Tensor(ops::Sum(x)).is_same(x));
    CHECK(Tensor(x + 2 * (slope - slope) - 0.0 * ops::Sum(y)).equal(x));
    // of the first term
    CHECK(Tensor(ops::Sum(y) + 0.0 * ops::Sum(x)).scalar_type() == at::kFloat);
  }
  CHECK_THROWS(Tensor(ops::Sum()));
  CHECK_THROWS(Tensor(n + x));
}

TEST_CASE("Gradients pass through a sum", "[ops][fast]") {
  const Switches switches;
  const Tensor x = random({2, 3, 4, 4}, 1).requires_grad_(),
               y = random({2, 3, 4, 4}, 2).to(at::kFloat).requires_grad_();
  Tensor(1.25 * ops::Sum(x) - 0.3 * ops::Sum(y)).sum().backward();
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

TEST_CASE("The largest pixels of windows equal the reference's, NaN and all", "[ops][fast]") {
  const auto [stride, padding] = GENERATE(std::array{1, 1}, std::array{2, 0}, std::array{2, 1}, std::array{3, 0});
  for (const auto& s : kSizes) {
    if (s[2] + 2 * padding < 3) continue;
    Tensor x = random({s[0], s[1], s[2], s[3]}, 1).to(at::kFloat);
    x[0][0][0][0] = std::numeric_limits<double>::quiet_NaN();
    x[0][s[1] - 1][s[2] - 1][s[3] - 1] = std::numeric_limits<double>::infinity();
    x[s[0] - 1][s[1] - 1] -= 10.0;  // zeros beyond the image would be the largest
    const Tensor exact = at::max_pool2d(x, 3, stride, padding);
    on_every_table([&] {
      const Tensor found = ops::max_pool(x, stride, padding);
      CHECK(found.is_contiguous(at::MemoryFormat::ChannelsLast));
      CHECK(at::allclose(found, exact, 0.0, 0.0, /*equal_nan=*/true));
    });
  }
}

TEST_CASE("Pooling passes gradients and refuses images without a window", "[ops][fast]") {
  compare([](const std::vector<Tensor>& in) { return ops::max_pool(in[0], 2, 1); }, {random({2, 5, 9, 8}, 1)}, 1e-7);
  CHECK_THROWS(ops::max_pool(random({1, 2, 2, 5}, 1), 1, 0));
  CHECK_THROWS(ops::max_pool(random({1, 2, 5, 5}, 1), 1, 2));
}

TEST_CASE("The fast optimizer step equals the reference", "[ops][fast]") {
  const Switches switches;
  const ops::AdamStep args = testing::adam_step();
  const std::int64_t size = 20'011;
  const auto state = [&](at::ScalarType dtype) {
    std::vector<Tensor> out;
    for (std::int64_t i = 0; i < 6; ++i) out.push_back(random({size}, i).to(dtype));
    out[3].square_();
    out[1][0] = std::numeric_limits<double>::infinity();
    out[1][1] = -std::numeric_limits<double>::infinity();
    out[1][2] = std::numeric_limits<double>::quiet_NaN();
    std::vector<Tensor> ema{out[4], out[5]};
    // a gap between them
    const Tensor large = out[1].narrow(0, 0, 19'000), small = out[1].narrow(0, 19'008, 1'003);
    ops::adam_ema(out[0], {{19'008, small}, {0, large}}, out[2], out[3], ema, args);
    return out;
  };
  const auto exact = state(at::kDouble);
  CHECK(exact[0].narrow(0, 19'000, 8).equal(random({size}, 0).narrow(0, 19'000, 8)));
  on_every_table([&] {
    const auto found = state(at::kFloat);
    for (std::size_t k = 0; k < found.size(); ++k) {
      if (k == 1) continue;  // the gradient
      INFO("tensor " << k);
      CHECK(((found[k].to(at::kDouble) - exact[k]).abs() <= 2e-6 * (1 + exact[k].abs())).all().item<bool>());
    }
  });
}

TEST_CASE("The fast norm of a gradient equals the reference", "[ops][fast]") {
  const auto norm = [](at::ScalarType dtype, double first) {
    const Tensor large = random({50, 401}, 1).to(dtype), small = random({37}, 2).to(dtype);
    small[0] = first;
    return ops::gradient_norm({{0, large}, {20'064, small}}).item<double>();
  };
  on_every_table([&] {
    CHECK_THAT(norm(at::kFloat, 40.0), Catch::Matchers::WithinRel(norm(at::kDouble, 40.0), 1e-7));
    CHECK(norm(at::kFloat, -std::numeric_limits<double>::infinity()) == std::numeric_limits<double>::infinity());
    CHECK(std::isnan(norm(at::kFloat, std::numeric_limits<double>::quiet_NaN())));
  });
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
