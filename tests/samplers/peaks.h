#pragma once

#include "edmund/diffusion/denoiser.h"

#include <ATen/ops/sigmoid.h>
#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund::testing {

/// Independent pixels with density w N(low, std²) + (1 - w) N(high, std²), all widths times `unit`.
/// D bends, and yet the ODE has a closed form: in one dimension it carries each quantile along.
struct Peaks {
  double unit = 1.0, weight = 0.35, low = -0.5, high = 0.8, std = 0.4;

  double variance(double sigma) const { return std * std * unit * unit + sigma * sigma; }
  Denoiser denoiser() const {
    return [*this](const Tensor& z, double sigma) {
      const double v = variance(sigma), gain = 1 - sigma * sigma / v, gap = (high - low) * unit;
      const double middle = (high + low) * unit / 2, odds = std::log((1 - weight) / weight);
      return gain * z + (1 - gain) * (low * unit + gap * at::sigmoid((gap / v) * (z - middle) + odds));
    };
  }
  /// P(z at σ <= z).
  double share(double z, double sigma) const {
    const double width = std::sqrt(2 * variance(sigma));
    const auto below = [&](double mean) { return std::erfc((mean * unit - z) / width) / 2; };
    return weight * below(low) + (1 - weight) * below(high);
  }
  /// z at σ of which a share p lies below, to rounding.
  double quantile(double p, double sigma) const {
    double a = (low - 9) * unit - 9 * sigma, b = (high + 9) * unit + 9 * sigma;
    for (int i = 0; i < 200; ++i) {
      const double middle = (a + b) / 2;
      (share(middle, sigma) < p ? a : b) = middle;
    }
    return (a + b) / 2;
  }
};

}  // namespace edmund::testing
