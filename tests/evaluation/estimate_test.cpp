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

TEST_CASE("Student's quantiles are those of the tables", "[evaluation]") {
  // NIST/SEMATECH e-Handbook of Statistical Methods, sec. 1.3.6.7.2.
  CHECK_THAT(student_quantile(0.975, 1), WithinAbs(12.706, 5e-4));
  CHECK_THAT(student_quantile(0.975, 2), WithinAbs(4.303, 5e-4));
  CHECK_THAT(student_quantile(0.975, 10), WithinAbs(2.228, 5e-4));
  CHECK_THAT(student_quantile(0.975, 30), WithinAbs(2.042, 5e-4));
  CHECK_THAT(student_quantile(0.95, 5), WithinAbs(2.015, 5e-4));
  CHECK_THAT(student_quantile(0.99, 100), WithinAbs(2.364, 5e-4));
  CHECK_THAT(student_quantile(0.975, 1e9), WithinAbs(1.959964, 1e-6));  // the normal distribution's
  CHECK_THAT(student_quantile(0.025, 7), WithinRel(-student_quantile(0.975, 7), 1e-12));
}
