#include "cpu/kernels.h"

#include "edmund/core/format.h"
#include "edmund/ops/ops.h"

#include <atomic>

namespace edmund::ops {
namespace {

std::atomic<Kernels>& chosen_kernels() {
  static std::atomic<Kernels> kernels = Kernels::kReference;
  return kernels;
}

std::atomic<Conv>& chosen_conv() {
  static std::atomic<Conv> conv = Conv::kWinograd;
  return conv;
}

}  // namespace

void set_kernels(Kernels kernels) { chosen_kernels() = kernels; }

Kernels kernels() { return chosen_kernels(); }

void set_conv(Conv conv) { chosen_conv() = conv; }

Conv conv() { return chosen_conv(); }

std::string kernels_text() {
  if (kernels() == Kernels::kReference) return "reference (ATen)";
  return format("fast ({}), 3x3 convolutions {}", cpu::kernel_table().name,
                conv() == Conv::kWinograd ? "by winograd" : "exact");
}

}  // namespace edmund::ops
