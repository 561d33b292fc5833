#include "cpu/bf16_kernels.h"
#include "edmund/core/format.h"
#include "edmund/ops/device.h"
#include "edmund/ops/ops.h"

#include <atomic>

namespace edmund::ops {
namespace {

std::atomic<Kernels>& chosen_kernels() {
  static std::atomic<Kernels> kernels = Kernels::kReference;
  return kernels;
}

std::atomic<ConvAlgorithm>& chosen_algorithm() {
  static std::atomic<ConvAlgorithm> algorithm = ConvAlgorithm::kWinograd;
  return algorithm;
}

const char* precision_text() {
  switch (precision()) {
    case Precision::kFp32: return "fp32";
    case Precision::kTf32: return "tf32";
    case Precision::kBf16: return "bf16";
    case Precision::kFp16: return "fp16";
  }
  return "";
}

}  // namespace

void set_kernels(Kernels kernels) { chosen_kernels() = kernels; }

Kernels kernels() { return chosen_kernels(); }

void set_conv_algorithm(ConvAlgorithm algorithm) { chosen_algorithm() = algorithm; }

ConvAlgorithm conv_algorithm() { return chosen_algorithm(); }

std::string kernels_text() {
  if (kernels() == Kernels::kReference) return "reference (ATen)";
  if (device().is_cuda()) return format("fast ({}, {})", device().str(), precision_text());
  const bool bf16 = precision() == Precision::kBf16 && cpu::has_bf16(),
             winograd = conv_algorithm() == ConvAlgorithm::kWinograd;
  if (bf16 && cpu::has_bf16_tiles()) return format("fast ({}), convolutions in bf16 by AMX", cpu::kernel_table().name);
  return format("fast ({}), 3x3 convolutions {}{}", cpu::kernel_table().name, winograd ? "by winograd" : "exact",
                bf16 ? ", in bf16" : "");
}

}  // namespace edmund::ops
