#include "kernels.h"

#include <array>
#include <atomic>

namespace edmund::ops::cpu {

#define EDMUND_DECLARE(isa)        \
  namespace isa {                  \
  extern const KernelTable kTable; \
  }
#ifdef EDMUND_X86
EDMUND_DECLARE(avx512)
EDMUND_DECLARE(avx2)
#endif
EDMUND_DECLARE(portable)
#undef EDMUND_DECLARE
namespace avx512bf16 {
extern const Bf16Kernels kBf16;
}
namespace portable {
extern const Bf16Kernels kBf16;
}

namespace {

struct Usable {
  std::array<const KernelTable*, 3> tables = {};
  long count = 0;

  Usable() {
#ifdef EDMUND_X86
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
      add(avx512::kTable);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) add(avx2::kTable);
#endif
    add(portable::kTable);
  }
  void add(const KernelTable& table) { tables[static_cast<std::size_t>(count++)] = &table; }
};

const Usable& usable() {
  static const Usable tables;
  return tables;
}

std::atomic<const KernelTable*>& chosen() {
  static std::atomic<const KernelTable*> table = usable().tables[0];
  return table;
}

std::atomic<const Bf16Kernels*>& chosen_bf16() {
  static std::atomic<const Bf16Kernels*> kernels = nullptr;
  return kernels;
}

}  // namespace

const KernelTable& kernel_table() { return *chosen(); }

const Bf16Kernels* bf16_kernels() {
  if (const Bf16Kernels* kernels = chosen_bf16()) return kernels;
#ifdef EDMUND_X86
  if (has_bf16() && &kernel_table() == &avx512::kTable) return &avx512bf16::kBf16;
#endif
  return nullptr;
}

const Bf16Kernels& portable_bf16_kernels() { return portable::kBf16; }

void use_bf16_kernels(const Bf16Kernels* kernels) { chosen_bf16() = kernels; }

bool has_bf16() {
#ifdef EDMUND_X86
  return usable().tables[0] == &avx512::kTable && __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

bool has_bf16_tiles() {
#ifdef EDMUND_X86
  return has_bf16() && __builtin_cpu_supports("amx-bf16") != 0;
#else
  return false;
#endif
}

const KernelTable* const* kernel_tables(long& count) {
  count = usable().count;
  return usable().tables.data();
}

void use_kernel_table(const KernelTable& table) { chosen() = &table; }

}  // namespace edmund::ops::cpu
