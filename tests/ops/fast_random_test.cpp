// Random words and normal numbers of every instruction set.
#include "../../src/ops/cpu/kernels.h"
#include "edmund/core/philox.h"
#include "support/catch.h"

#include <cmath>
#include <numbers>
#include <vector>

using namespace edmund;

TEST_CASE("Every instruction set draws Philox's words", "[ops][fast]") {
  const RandomKey key{0x123456789abcdef0, Stream::kLatent, (std::uint64_t{1} << 40) + 5, 9};
  const PhiloxKey layout{.key = {0x9abcdef0, 0x12345678},
                         .counter = {9, 5, (1U << 8) ^ (static_cast<std::uint32_t>(Stream::kLatent) << 24)}};
  long count = 0;
  const auto* tables = ops::cpu::kernel_tables(count);
  for (long i = 0; i < count; ++i) {
    std::vector<std::uint32_t> words(4 * 37);
    tables[i]->philox(layout, 0xfffffff0, 37, words.data());  // the counter wraps
    for (std::uint32_t block = 0; block < 37; ++block)
      for (std::uint32_t lane = 0; lane < 4; ++lane)
        REQUIRE(words[4 * block + lane] == key.words(0xfffffff0 + block)[lane]);
  }
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
