#pragma once

#include "edmund/ops/ops.h"
#include "support/device.h"

#include <string>

namespace edmund::testing {

/// A backend of the operators, for as long as this lives; then the reference again.
class UseKernels {
 public:
  explicit UseKernels(ops::Kernels kernels, ops::ConvAlgorithm conv = ops::ConvAlgorithm::kWinograd) {
    ops::set_kernels(kernels);
    ops::set_conv_algorithm(conv);
  }
  ~UseKernels() {
    ops::set_kernels(ops::Kernels::kReference);
    ops::set_conv_algorithm(ops::ConvAlgorithm::kWinograd);
  }
  UseKernels(const UseKernels&) = delete;
  UseKernels& operator=(const UseKernels&) = delete;
};

/// Runs body(name) with the reference, with fast kernels and direct convolutions, and with
/// Winograd's; on a GPU (TestDevice) with its own.
template <typename Body>
void for_each_backend(const Body& body) {
  if (TestDevice::current().is_cuda()) return body("cuda");
  const auto with = [&](ops::Kernels kernels, ops::ConvAlgorithm conv, const std::string& name) {
    const UseKernels use(kernels, conv);
    body(name);
  };
  with(ops::Kernels::kReference, ops::ConvAlgorithm::kDirect, "reference");
  with(ops::Kernels::kFast, ops::ConvAlgorithm::kDirect, "exact");
  with(ops::Kernels::kFast, ops::ConvAlgorithm::kWinograd, "winograd");
}

}  // namespace edmund::testing
