#pragma once

#include "edmund/core/options.h"

#include <array>
#include <cstdint>

namespace edmund {

/// How the errors of a method's tries choose the length of the next one: a PID controller
/// (Söderlind 2003) with a limiter, as k-diffusion has it.
///
///   q_0, q_1, q_2: 1/(E + 1e-8) of this try and of the two steps taken before (at first q_0)
///   f = (q_0^(P + I + D)·q_1^-(P + 2D)·q_2^D)^(1/order);  factor = 1 + arctan(f - 1)
///
///   pcoeff  0   P, of what the error did last
///   icoeff  1   I, of the error itself
///   dcoeff  0   D, of how that changed
///   accept_safety  0.81   a try with a smaller factor is rejected
struct StepControl {
  double proportional = 0.0, integral = 1.0, differential = 0.0, accept = 0.81;
};
StepControl read_step_control(Options& options);

class StepController {
 public:
  StepController(const StepControl& control, std::int64_t order, double length);

  /// Of the next try; 0 where no length would do.
  double length() const { return length_; }
  /// Whether the try with this error, 1 is allowed, is taken; chooses the next length.
  bool passes(double error);

 private:
  std::array<double, 3> exponents_;
  double accept_, length_;
  std::array<double, 3> inverse_errors_{};
  bool first_ = true;
};

}  // namespace edmund
