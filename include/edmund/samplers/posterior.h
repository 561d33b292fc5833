#pragma once

#include "edmund/schedules/noise_schedule.h"

namespace edmund {

/// A step σ → σ' of the family of Song et al. 2021 (DDIM, eq. 12) in z = x/s: z' = D + (down/σ)(z -
/// D) + up·n, down² + up² = σ'².
struct AncestralStep {
  double down, up;
};

/// up = η·√(σ'²(σ² - σ'²)/σ²): η = 0 is the ODE's Euler step in σ, η = 1 the posterior of Ho et al.
/// 2020; σ ≥ σ' ≥ 0 unless η = 0.
AncestralStep ancestral_step(double sigma, double next, double eta);

/// Standard deviation of x_t given x_u: s(t)·√(σ(t)² - σ(u)²); on vp and ddpm the √β of the step
/// (Ho et al. 2020, σ_t² = β_t), strided or not. σ(u) is given, so that it may be 0.
double transition_std(const NoiseSchedule& schedule, double t, double sigma_u);

}  // namespace edmund
