#include "edmund/evaluation/estimate.h"

#include "edmund/core/error.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <cmath>
#include <vector>

using namespace edmund;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

TEST_CASE("the standard error of a mean is the spread over the root of the count", "[evaluation]") {
  const std::vector<double> values = {1.0, 2.0, 4.0, 9.0};  // mean 4, squares 9 + 4 + 0 + 25
  const Estimate found = mean_estimate(values), same = mean_estimate(at::tensor(values, at::kDouble));
  CHECK_THAT(found.value, WithinRel(4.0, 1e-15));
  CHECK_THAT(found.error, WithinRel(std::sqrt(38.0 / 3 / 4), 1e-15));
  CHECK_THAT(same.value, WithinRel(found.value, 1e-15));
  CHECK_THAT(same.error, WithinRel(found.error, 1e-15));
  CHECK(mean_estimate(std::vector<double>{3.0}).error == 0.0);
  CHECK_THROWS_AS(mean_estimate(at::ones({1})), Error);
}
