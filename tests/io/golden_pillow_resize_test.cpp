#include "edmund/data/resize.h"
#include "support/catch.h"
#include "support/golden.h"

#include <ATen/ATen.h>

using namespace edmund;
using testing::Golden;

TEST_CASE("images are resized as Pillow does", "[data][golden]") {
  testing::for_each_golden({"pillow_resize"}, [](Golden& golden) {
    for (const auto& image : golden.parts())
      for (const auto& method : golden.parts(image + ".")) {
        if (method == "image") continue;
        for (const auto& size : golden.parts(image + "." + method + ".")) {
          const std::string name = image + "." + method + "." + size;
          const Tensor expected = golden.use(name);
          const Tensor found = resized(golden.use(image + ".image"), expected.size(1), expected.size(2), method);
          // one level: how a half is rounded, and the last bit of a weight
          golden.check_each(name, found, 0.0, 1.0);
        }
      }
  });
}
