#pragma once

#include <c10/core/Device.h>

namespace edmund::testing {

/// The device that EDMUND_TEST_DEVICE names (cpu, the default, or cuda), for as long as this lives:
/// Golden::real() gives tensors there, and a GPU has its fast operators in float32. Where it cannot
/// be had the first test of a program fails, saying why, and the others are skipped.
class TestDevice {
 public:
  TestDevice();
  ~TestDevice();
  TestDevice(const TestDevice&) = delete;
  TestDevice& operator=(const TestDevice&) = delete;

  /// That of the one that lives; the CPU if none does.
  static at::Device current();
};

/// What TestDevice::current() answers (golden.cpp, which needs no operators).
at::Device& chosen_device();

}  // namespace edmund::testing
