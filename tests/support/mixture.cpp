#include "support/mixture.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

namespace edmund::testing {

Mixture Mixture::from(Golden& golden, const std::string& prefix) {
  return {{golden.real(prefix + "means"), golden.real(prefix + "stds"), golden.real(prefix + "weights")}};
}

Mixture Mixture::gaussian(double mean, double std, std::int64_t D) {
  return {{at::full({1, D}, mean, at::kDouble), at::full({1}, std, at::kDouble), at::ones({1}, at::kDouble)}};
}

}  // namespace edmund::testing
