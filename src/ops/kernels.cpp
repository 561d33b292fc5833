#include "edmund/ops/ops.h"

#include <atomic>

namespace edmund::ops {
namespace {

std::atomic<Kernels>& chosen_kernels() {
  static std::atomic<Kernels> kernels = Kernels::kReference;
  return kernels;
}

}  // namespace

void set_kernels(Kernels kernels) { chosen_kernels() = kernels; }

Kernels kernels() { return chosen_kernels(); }

}  // namespace edmund::ops
