#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>
#include <span>
#include <vector>

namespace edmund {

/// A power-function average at a moment of the training: weights of t images count as t^γ, up to
/// `images` (Karras et al. 2024, section 3.1).
struct PowerProfile {
  double images = 0.0;
  double gamma = 0.0;
};

/// Relative width (standard deviation over length of the run) of the profile of exponent γ > -1
/// (Karras et al. 2024, section 3.1).
double power_ema_width(double gamma);

/// ∫ a(t) b(t) dt of two profiles (eq. 151).
double inner_product(const PowerProfile& a, const PowerProfile& b);

/// How much weights of 0 … count - 1 images count in the profile, [count], adding up to 1.
Tensor sampled_profile(const PowerProfile& profile, std::int64_t count);

/// Coefficients of averages that were kept, by which they add up to averages of other lengths, in
/// the least squares of their profiles (algorithm 3): [kept, wanted], double, each column adding up
/// to 1. Combinations of profiles that rounding cannot tell apart are left out, so that
/// coefficients stay small however many averages there are.
Tensor posthoc_coefficients(std::span<const PowerProfile> kept, std::span<const PowerProfile> wanted);

/// ‖wanted - Σ c·kept‖/‖wanted‖ of the profiles: how far off a reconstruction by these coefficients
/// is, 0 for an average that was kept itself.
double posthoc_residual(std::span<const PowerProfile> kept, std::span<const double> coefficients,
                        const PowerProfile& wanted);

}  // namespace edmund
