#include "edmund/core/shape_size.h"

#include "support/catch.h"

#include <vector>

namespace edmund::testing {

TEST_CASE("the size of a shape is told, or that it or strides in it are beyond all counts", "[core]") {
  constexpr std::int64_t kLarge = std::int64_t{1} << 31;
  struct Case {
    std::vector<std::int64_t> shape;
    std::optional<std::uint64_t> bytes;
  };
  for (const auto& [shape, bytes] :
       {Case{{}, 4}, Case{{3, 5}, 60}, Case{{3, 0, 5}, 0}, Case{{kLarge, 4}, std::uint64_t{1} << 35},
        Case{{kLarge, kLarge}, std::nullopt}, Case{{0, kLarge, kLarge, kLarge}, std::nullopt},
        Case{{kLarge, kLarge, kLarge, 0}, std::nullopt}, Case{{kLarge, 0}, 0}}) {
    CAPTURE(shape);
    CHECK(shape_size(shape, 4) == bytes);
  }
}

}  // namespace edmund::testing
