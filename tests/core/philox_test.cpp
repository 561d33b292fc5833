#include "edmund/core/philox.h"

#include "support/catch.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

namespace edmund {
namespace {

using Words = std::array<std::uint32_t, 4>;

std::vector<std::uint64_t> order(std::uint64_t size, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<std::uint64_t> out(size);
  for (std::uint64_t i = 0; i < size; ++i) out[i] = permuted(i, size, seed, epoch);
  return out;
}

}  // namespace

TEST_CASE("philox gives the known answers of Random123", "[core]") {
  constexpr std::uint32_t kOnes = 0xFFFFFFFF;
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}) == Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a random key lays its numbers out in counter and key as stated", "[core]") {
  const RandomKey key{.seed = 0x299f31d0a4093822, .stream = Stream::kLatent, .sample = 0x0070734413198a2e, .draw = 5};
  CHECK(key.words(9) == philox({9, 5, 0x13198a2e, 0x08707344}, {0xa4093822, 0x299f31d0}));
}

TEST_CASE("uniform numbers lie strictly inside the unit interval", "[core]") {
  CHECK(open_unit(0) == 0x1p-33);
  CHECK(open_unit(0xFFFFFFFF) == 1 - 0x1p-33);
  CHECK(open_unit(0x80000000) == 0.5 + 0x1p-33);
}

TEST_CASE("data order is a permutation for every size", "[core]") {
  for (const std::uint64_t size : {1, 2, 3, 10, 255, 256, 257, 1000, 1797, 60000}) {
    auto sorted = order(size, 7, 3);
    std::sort(sorted.begin(), sorted.end());
    bool is_permutation = true;
    for (std::uint64_t i = 0; i < size; ++i) is_permutation = is_permutation && sorted[i] == i;
    INFO(size);
    CHECK(is_permutation);
  }
  const std::uint64_t huge = 1'000'000'000'000;
  for (std::uint64_t i = 0; i < 100; ++i) CHECK(permuted(huge - 1 - i, huge, 7, 3) < huge);
}

TEST_CASE("data order depends on seed and epoch", "[core]") {
  CHECK(order(1797, 7, 3) == order(1797, 7, 3));
  CHECK(order(1797, 7, 3) != order(1797, 7, 4));
  CHECK(order(1797, 7, 3) != order(1797, 8, 3));
}

TEST_CASE("all orders of three are equally likely", "[core]") {
  std::map<std::vector<std::uint64_t>, int> counts;
  constexpr int kEpochs = 6000;
  for (std::uint64_t epoch = 0; epoch < kEpochs; ++epoch) ++counts[order(3, 1, epoch)];
  REQUIRE(counts.size() == 6);
  double chi_square = 0;
  for (const auto& [what, count] : counts) chi_square += std::pow(count - kEpochs / 6.0, 2) / (kEpochs / 6.0);
  CHECK(chi_square < 5 + 5 * std::sqrt(10.0));  // mean 5, variance 10; five standard errors
}

TEST_CASE("data order has the fixed points and the correlation of a random one", "[core]") {
  constexpr std::uint64_t kSize = 1797;
  constexpr int kEpochs = 400;
  double fixed = 0, squared_correlation = 0;
  for (std::uint64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const auto p = order(kSize, 5, epoch);
    const double middle = (kSize - 1) / 2.0, variance = (kSize * kSize - 1.0) / 12;
    double covariance = 0;
    for (std::uint64_t i = 0; i < kSize; ++i) {
      fixed += p[i] == i;
      covariance += (static_cast<double>(i) - middle) * (static_cast<double>(p[i]) - middle) / kSize;
    }
    squared_correlation += std::pow(covariance / variance, 2) * (kSize - 1);
  }
  // Fixed points are Poisson(1); the squared correlation times n-1 is chi-square with one degree of
  // freedom.
  CHECK(std::abs(fixed / kEpochs - 1) < 5 / std::sqrt(kEpochs));
  CHECK(std::abs(squared_correlation / kEpochs - 1) < 5 * std::sqrt(2.0 / kEpochs));
}

TEST_CASE("the first image of an epoch is any of them", "[core]") {
  constexpr std::uint64_t kSize = 10;
  constexpr int kEpochs = 5000;
  std::array<std::array<int, kSize>, kSize> counts = {};
  for (std::uint64_t epoch = 0; epoch < kEpochs; ++epoch)
    for (std::uint64_t i = 0; i < kSize; ++i) ++counts[i][permuted(i, kSize, 2, epoch)];
  const double expected = kEpochs / 10.0;
  for (const auto& row : counts) {
    double chi_square = 0;
    for (const int count : row) chi_square += std::pow(count - expected, 2) / expected;
    CHECK(chi_square < 9 + 5 * std::sqrt(18.0));
  }
}

}  // namespace edmund
