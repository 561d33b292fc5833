#include "edmund/schedules/nearest_level.h"

#include "support/catch.h"

#include <vector>

namespace edmund::testing {

TEST_CASE("the nearest level is the nearest, ties to the larger", "[schedules]") {
  const std::vector<double> levels{1.0, 2.0, 4.0}, one{3.0};
  for (const auto& [sigma, expected] :
       {std::pair{0.0, 1.0}, std::pair{1.0, 1.0}, std::pair{1.4, 1.0}, std::pair{1.5, 2.0}, std::pair{2.9, 2.0},
        std::pair{3.0, 4.0}, std::pair{4.0, 4.0}, std::pair{1e9, 4.0}}) {
    INFO(sigma);
    CHECK(nearest_level(levels, sigma) == expected);
  }
  for (const double sigma : {1.0, 3.0, 5.0}) CHECK(nearest_level(one, sigma) == 3.0);
}

}  // namespace edmund::testing
