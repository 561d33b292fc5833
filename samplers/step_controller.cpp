#include "step_controller.h"

#include <cmath>

namespace edmund {

StepControl read_step_control(Options& options) {
  const Range coefficients = between(-10, 10);
  return {
      .proportional = options.real("pcoeff", 0.0, coefficients, "weight of the error's last change in the step"),
      .integral = options.real("icoeff", 1.0, coefficients, "weight of the error in the step"),
      .differential = options.real("dcoeff", 0.0, coefficients, "weight of the error's curvature in the step"),
      .accept = options.real("accept_safety", 0.81, inside(0, 1), "least factor of the step with which it is taken")};
}

StepController::StepController(const StepControl& control, std::int64_t order, double length)
    : exponents_{control.proportional + control.integral + control.differential,
                 -(control.proportional + 2 * control.differential), control.differential},
      accept_(control.accept),
      length_(length) {
  for (double& exponent : exponents_) exponent /= static_cast<double>(order);
}

bool StepController::passes(double error) {
  auto& [now, last, before] = inverse_errors_;
  now = 1 / (error + 1e-8);
  if (first_) last = before = now;
  first_ = false;
  const double product = std::pow(now, exponents_[0]) * std::pow(last, exponents_[1]) * std::pow(before, exponents_[2]);
  const double factor = 1 + std::atan(product - 1);
  length_ = std::isfinite(factor) ? length_ * factor : 0.0;
  if (!(factor >= accept_)) return false;
  before = last;
  last = now;
  return true;
}

}  // namespace edmund
