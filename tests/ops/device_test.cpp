#include "edmund/ops/device.h"

#include "edmund/core/error.h"
#include "support/catch.h"

#include <filesystem>
#include <string>

using namespace edmund;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("A device that does not exist is refused with the key and the mend", "[ops]") {
  for (const char* text : {"gpu", "cuda:", "cuda:-1", "cuda:x", "cuda:1000", ""})
    CHECK_THROWS_WITH(ops::find_device(text), ContainsSubstring("expected auto, cpu, cuda or cuda:N"));
  CHECK(ops::find_device("cpu") == at::kCPU);
}

TEST_CASE("Without a GPU auto is the CPU, and cuda says what to do", "[ops]") {
  if (std::filesystem::exists("/dev/nvidiactl")) SKIP("there is a GPU");
  CHECK(ops::find_device("auto") == at::kCPU);
  CHECK_THROWS_WITH(ops::find_device("cuda"), ContainsSubstring("set device: cpu"));
  CHECK(ops::gpu_report().advice.empty());
  CHECK_FALSE(ops::records(at::kCPU));
}
