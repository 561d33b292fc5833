#include "bf16_kernels.h"

#include <array>
#include <atomic>
#if defined(EDMUND_X86) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

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
#define EDMUND_DECLARE_BF16(isa)        \
  namespace isa {                       \
  extern const Bf16Kernels kBf16;       \
  extern const Bf16Kernels kBf16Direct; \
  }
#ifdef EDMUND_X86
EDMUND_DECLARE_BF16(avx512bf16)
EDMUND_DECLARE_BF16(avx512amx)
#endif
EDMUND_DECLARE_BF16(portable)
#undef EDMUND_DECLARE_BF16

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

#ifdef EDMUND_X86
// Whether the processor has tiles, and the system lets this process use them: it asks, as their
// state makes each switch of threads dearer.
bool tiles_permitted() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  // of leaf 7, which not all compilers have names for
  constexpr unsigned kTiles = 1U << 24, kBf16Tiles = 1U << 22;
  unsigned a = 0, b = 0, c = 0, features = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &features) != 0 && (features & kTiles) != 0 &&
         (features & kBf16Tiles) != 0 && ::syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}
#endif

struct Bf16Usable {
  std::array<Bf16Choice, 4> choices = {};
  long count = 0;

  Bf16Usable() {
#ifdef EDMUND_X86
    if (usable().tables[0] == &avx512::kTable && __builtin_cpu_supports("avx512bf16") != 0) {
      if (tiles_permitted()) add({&avx512::kTable, &avx512amx::kBf16Direct});
      add({&avx512::kTable, &avx512bf16::kBf16});
    }
#endif
    add({&portable::kTable, &portable::kBf16});
    add({&portable::kTable, &portable::kBf16Direct});
  }
  void add(const Bf16Choice& choice) { choices[static_cast<std::size_t>(count++)] = choice; }
};

const Bf16Usable& bf16_usable() {
  static const Bf16Usable usable;
  return usable;
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
  const auto& [table, kernels] = bf16_usable().choices[0];
  return table == &portable::kTable || table != &kernel_table() ? nullptr : kernels;
}

void use_bf16_kernels(const Bf16Kernels* kernels) { chosen_bf16() = kernels; }

const Bf16Choice* bf16_choices(long& count) {
  count = bf16_usable().count;
  return bf16_usable().choices.data();
}

bool has_bf16() { return bf16_usable().choices[0].table != &portable::kTable; }

bool has_bf16_tiles() {
#ifdef EDMUND_X86
  return bf16_usable().choices[0].kernels == &avx512amx::kBf16Direct;
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
