#include "edmund/ops/random.h"

#include "support/catch.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <cmath>
#include <numbers>
#include <set>
#include <vector>

using namespace edmund;

namespace {

std::vector<std::int64_t> range(std::int64_t n) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) out[static_cast<std::size_t>(i)] = i;
  return out;
}

Tensor normals(std::span<const std::int64_t> samples, std::uint32_t draw = 0, std::uint64_t seed = 7,
               at::ScalarType dtype = at::kFloat) {
  return ops::normal(seed, Stream::kLatent, samples, draw, {3, 5, 7}, dtype, at::kCPU);
}

}  // namespace

TEST_CASE("Element n of a draw comes from lane n%4 of block n/4 of its sample's stream", "[ops]") {
  const std::vector<std::int64_t> samples{3, (std::int64_t{1} << 40) + 5};
  const std::uint64_t seed = 0x123456789abcdef0;
  const Tensor u = ops::uniform(seed, Stream::kTrainingNoise, samples, 9, {2, 1500}, at::kDouble, at::kCPU).flatten(1);
  const Tensor n = ops::normal(seed, Stream::kTrainingNoise, samples, 9, {2, 1500}, at::kDouble, at::kCPU).flatten(1);
  for (std::size_t row = 0; row < 2; ++row) {
    const RandomKey key{seed, Stream::kTrainingNoise, static_cast<std::uint64_t>(samples[row]), 9};
    for (std::uint32_t i = 0; i < 3000; i += 2) {
      const auto words = key.words(i / 4);
      const double first = open_unit(words[i % 4]), second = open_unit(words[i % 4 + 1]);
      const auto r = static_cast<std::int64_t>(row);
      REQUIRE(u[r][i].item<double>() == first);
      REQUIRE(u[r][i + 1].item<double>() == second);
      const double radius = std::sqrt(-2 * std::log(first));
      REQUIRE(std::abs(n[r][i].item<double>() - radius * std::cos(2 * std::numbers::pi * second)) < 1e-14);
      REQUIRE(std::abs(n[r][i + 1].item<double>() - radius * std::sin(2 * std::numbers::pi * second)) < 1e-14);
    }
  }
}

TEST_CASE("A sample's draws do not depend on the batch or the thread count", "[ops]") {
  const auto samples = range(64);
  const Tensor together = normals(samples);
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    CHECK(normals(samples).equal(together));
    for (const auto i : samples) REQUIRE(normals(std::vector{i})[0].equal(together[i]));
  }
  const std::vector<std::int64_t> shuffled{9, 2, 63, 2};
  CHECK(normals(shuffled).equal(together.index_select(0, at::tensor(shuffled))));
}

TEST_CASE("Samples, draws, seeds and streams have numbers of their own", "[ops]") {
  const auto samples = range(2);
  const Tensor x = normals(samples);
  CHECK_FALSE(x[0].equal(x[1]));
  CHECK_FALSE(normals(samples, 1).equal(x));
  CHECK_FALSE(normals(samples, 0, 8).equal(x));
  CHECK_FALSE(ops::normal(7, Stream::kEvaluation, samples, 0, {3, 5, 7}, at::kFloat, at::kCPU).equal(x));
}

TEST_CASE("Normal draws have the moments of a standard normal distribution", "[ops]") {
  const auto samples = range(1000);
  const Tensor x = ops::normal(1, Stream::kLatent, samples, 0, {1000}, at::kDouble, at::kCPU);
  const double n = 1e6;
  // Five standard errors: Var x = 1, Var x² = 2, Var x³ = 15, Var x⁴ = 96.
  CHECK(std::abs(x.mean().item<double>()) < 5 * std::sqrt(1 / n));
  CHECK(std::abs(x.square().mean().item<double>() - 1) < 5 * std::sqrt(2 / n));
  CHECK(std::abs(x.pow(3).mean().item<double>()) < 5 * std::sqrt(15 / n));
  CHECK(std::abs(x.pow(4).mean().item<double>() - 3) < 5 * std::sqrt(96 / n));
  const Tensor even = x.slice(1, 0, 1000, 2), odd = x.slice(1, 1, 1000, 2);
  CHECK(std::abs((even * odd).mean().item<double>()) < 5 * std::sqrt(2 / n));
  const double tail = (x.abs() > 3).to(at::kDouble).mean().item<double>(), p = std::erfc(3 / std::numbers::sqrt2);
  CHECK(std::abs(tail - p) < 5 * std::sqrt(p / n));
}

TEST_CASE("Narrower types hold the rounded double draws, and uniform ones stay below 1", "[ops]") {
  const auto samples = range(3);
  const Tensor wide = normals(samples, 0, 7, at::kDouble);
  CHECK(normals(samples).equal(wide.to(at::kFloat)));
  CHECK(normals(samples, 0, 7, at::kBFloat16).equal(wide.to(at::kFloat).to(at::kBFloat16)));
  const Tensor u = ops::uniform(7, Stream::kLatent, samples, 0, {1 << 20}, at::kFloat, at::kCPU);
  CHECK(u.min().item<float>() > 0.0F);
  CHECK(u.max().item<float>() < 1.0F);
}

TEST_CASE("An empty batch gives an empty draw", "[ops]") {
  CHECK(normals(std::vector<std::int64_t>{}).sizes() == at::IntArrayRef{0, 3, 5, 7});
}

TEST_CASE("Parallel loops of our own files run on several threads", "[ops]") {
  at::set_num_threads(2);
  std::array<int, 2> threads{-1, -1};
  at::parallel_for(0, 2, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) threads[static_cast<std::size_t>(i)] = at::get_thread_num();
  });
  CHECK(threads[0] != threads[1]);
}
