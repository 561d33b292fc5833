#include "cache_budget.h"

#include <algorithm>
#include <fstream>
#include <unistd.h>

namespace edmund::ops::cpu {
namespace {

// Bytes of the second-level cache; 0 if unknown.
std::int64_t l2_of_system() {
#ifdef _SC_LEVEL2_CACHE_SIZE
  if (const long bytes = ::sysconf(_SC_LEVEL2_CACHE_SIZE); bytes > 0) return bytes;
#endif
  std::int64_t kibibytes = 0;
  std::ifstream("/sys/devices/system/cpu/cpu0/cache/index2/size") >> kibibytes;  // "2048K"
  return kibibytes << 10;
}

CacheBudget& chosen() {
  static CacheBudget budget = budget_of(l2_of_system());
  return budget;
}

}  // namespace

CacheBudget budget_of(std::int64_t l2_bytes) {
  constexpr std::int64_t kUnknown = 1 << 20, kSmallest = 1 << 17, kLargest = 1 << 21;
  const std::int64_t floats = std::clamp(l2_bytes > 0 ? l2_bytes : kUnknown, kSmallest, kLargest) / 4;
  return {.winograd_tiles = floats * 5 / 16,
          .winograd_products = floats / 8,
          .shared_filter = floats / 2,
          .gemm_rows = floats / 8,
          .direct_rows = floats * 3 / 8};
}

const CacheBudget& cache_budget() { return chosen(); }

void use_cache_budget(const CacheBudget& budget) { chosen() = budget; }

}  // namespace edmund::ops::cpu
