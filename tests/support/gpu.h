#pragma once

#include "edmund/core/error.h"
#include "edmund/ops/device.h"
#include "edmund/ops/ops.h"
#include "support/catch.h"

#include <string>

namespace edmund::testing {

/// The first GPU with the fast operators, for as long as this lives. Skips the test where there is
/// none, saying why.
class UseGpu {
 public:
  explicit UseGpu(ops::Precision precision = ops::Precision::kFp32) : device_(found()) {
    ops::set_kernels(ops::Kernels::kFast);
    ops::set_device(device_);
    ops::set_precision(precision);
  }
  ~UseGpu() {
    ops::set_precision(ops::Precision::kFp32);
    ops::set_device(at::kCPU);
    ops::set_kernels(ops::Kernels::kReference);
    ops::set_graphs(ops::Graphs::kOn);
  }
  UseGpu(const UseGpu&) = delete;
  UseGpu& operator=(const UseGpu&) = delete;
  at::Device device() const { return device_; }

 private:
  static at::Device found() {
    std::string why;
    try {
      return ops::find_device("cuda");
    } catch (const Error& error) {
      why = error.what();
    }
    SKIP(why);
    return at::kCPU;
  }

  at::Device device_;
};

}  // namespace edmund::testing
