#pragma once

#include "../../src/ops/cpu/bf16_kernels.h"
#include "../../src/ops/cpu/cache_budget.h"
#include "edmund/ops/device.h"
#include "edmund/ops/ops.h"
#include "operation.h"
#include "support/catch.h"

#include <ATen/Parallel.h>
#include <vector>

/// What the tests of the fast CPU operators share: every instruction set that this machine has, one
/// thread and two.
namespace edmund::testing {

/// B, C, H, W: sizes that fill no vector and no tile among them.
constexpr std::int64_t kSizes[][4] = {{2, 16, 8, 8},  {1, 3, 32, 32}, {3, 20, 7, 7}, {1, 32, 28, 28},
                                      {2, 48, 5, 12}, {5, 8, 1, 1},   {1, 64, 4, 4}, {2, 33, 14, 14}};

/// Chooses the fast operators and restores in the end what a test switches.
struct Switches {
  const ops::cpu::KernelTable& table = ops::cpu::kernel_table();
  const ops::cpu::CacheBudget budget = ops::cpu::cache_budget();
  int threads = at::get_num_threads();
  Switches() { ops::set_kernels(ops::Kernels::kFast); }
  ~Switches() {
    ops::set_kernels(ops::Kernels::kReference);
    ops::set_conv_algorithm(ops::ConvAlgorithm::kWinograd);
    ops::set_precision(ops::Precision::kFp32);
    ops::cpu::use_kernel_table(table);
    ops::cpu::use_bf16_kernels(nullptr);
    ops::cpu::use_cache_budget(budget);
    at::set_num_threads(threads);
  }
};

/// Runs body() with every instruction set that this machine has, on one thread and on two.
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

/// Result and gradients in float32 against those in double precision, in which every operator is
/// the reference's.
inline void compare(const Operation& operation, const std::vector<Tensor>& inputs, double tolerance) {
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

}  // namespace edmund::testing
