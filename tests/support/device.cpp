#include "support/device.h"

#include "edmund/core/error.h"
#include "edmund/ops/device.h"
#include "edmund/ops/ops.h"
#include "support/catch.h"

#include <cstdlib>
#include <string>

namespace edmund::testing {
namespace {

at::Device found() {
  const char* given = std::getenv("EDMUND_TEST_DEVICE");
  const std::string name = given != nullptr ? given : "cpu";
  static bool failed = false;
  if (failed) SKIP("EDMUND_TEST_DEVICE=" << name << " cannot be had, as the first failure says");
  std::string why;
  try {
    require(name == "cpu" || name == "cuda", "expected cpu or cuda");
    return ops::find_device(name);
  } catch (const Error& error) {
    why = error.what();
  }
  failed = true;
  FAIL("EDMUND_TEST_DEVICE=" << name << ": " << why);
  return at::kCPU;
}

void use(at::Device device) {
  chosen_device() = device;
  ops::set_device(device);
  ops::set_kernels(device.is_cuda() ? ops::Kernels::kFast : ops::Kernels::kReference);
}

}  // namespace

TestDevice::TestDevice() { use(found()); }
TestDevice::~TestDevice() { use(at::kCPU); }

}  // namespace edmund::testing
