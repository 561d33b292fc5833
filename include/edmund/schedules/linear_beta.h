#pragma once

#include "edmund/core/interval.h"
#include "edmund/core/options.h"

#include <cmath>
#include <optional>

namespace edmund {

/// β(t) = min + slope·t, the noise rate of the VP and sub-VP SDEs (Song et al. 2021, eq. 32), by
/// default from 0.1 to 20.
struct LinearBeta {
  double min = 0.1, slope = 19.9;

  double rate(double t) const { return min + slope * t; }
  /// B(t) = ∫₀ᵗ β.
  double integral(double t) const { return t * (min + 0.5 * slope * t); }
  /// Time at which integral() is B, in units of 1/`unit`. B is a double or a tensor.
  template <typename Number>
  Number time(const Number& B, double unit = 1.0) const {
    using std::sqrt;
    const Number root = sqrt(min * min + 2 * slope * B);
    // The first form does not cancel at small B.
    return min > 0 ? 2 * unit * B / (min + root) : unit * (root - min) / slope;
  }

  /// σ(t) of the VP SDE, √(exp(B) - 1).
  double vp_sigma(double t) const { return std::sqrt(std::expm1(integral(t))); }
  /// The β whose VP SDE has vp_sigma(t_min) = sigmas.low and vp_sigma(1) = sigmas.high (Karras et
  /// al. 2022, code of the ablation). It may be negative below t_min; nothing if it is not above 0
  /// on [t_min, 1].
  static std::optional<LinearBeta> of_vp(Interval sigmas, double t_min);

  /// Reads `beta_min` (0.1) and `beta_max` (20), the rates at t = 0 and t = 1.
  static LinearBeta read(Options& options);
};

}  // namespace edmund
