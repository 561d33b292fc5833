// Fast normalization, dropout and attention against the reference in double precision.
#include "every_table.h"

using namespace edmund;
using testing::compare, testing::kSizes, testing::NormCase, testing::random, testing::Switches;

TEST_CASE("Fast normalization equals the reference, with and without what follows it", "[ops][fast]") {
  const bool silu = GENERATE(true, false), adaptive = GENERATE(true, false);
  const double dropout = GENERATE(0.0, 0.3), mean = GENERATE(0.0, 30.0);
  for (const auto& s : kSizes) {
    const NormCase norm{{s[0], s[1], s[2], s[3]}, silu, adaptive, dropout, mean};
    INFO("B " << s[0] << " C " << s[1] << " H " << s[2] << " W " << s[3] << " dropout " << dropout << " mean " << mean);
    if (s[2] * s[3] == 1) continue;  // groups of few elements have no digits left
    // A mean of 30 takes 1.5 digits of x's own.
    compare(operation_of(norm), inputs_of(norm), mean == 0.0 ? 1e-5 : 3e-4);
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

TEST_CASE("Fast attention equals the reference", "[ops][fast]") {
  const std::int64_t heads = GENERATE(1, 2);
  for (const std::int64_t size : {1, 4, 7, 16})
    compare([&](const std::vector<Tensor>& in) { return ops::attention(in[0], heads); },
            {random({2, 3 * 24, size, size}, 1)}, 2e-5);
}
