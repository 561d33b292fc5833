#pragma once

#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/ops/sum.h"

#include <cstdint>

namespace edmund {

/// A step and the one of the order below that its evaluations give for nothing (order 0: z itself).
struct DpmStep {
  ops::Sum z, lower;
};
/// Step of DPM-Solver-1, -2 or -3 (Lu et al. 2022, algorithms 1 and 2; r1 = 1/2, or r1 = 1/3 and r2
/// = 2/3) on the ODE dz/dσ = ε(z; σ) = (z - D)/σ from z at σ to `next`, 0 < next < σ, with h =
/// ln(σ/next) and σ_r = σe^{-rh}:
///
///   z1 = z - (σ - next)·ε
///   z2 = z1 - (σ - next)/(2 r1) · b1,     b1 = ε(z - (σ - σ_r1)·ε; σ_r1) - ε
///   z3 = z1 - ((σ - next)/h - next)/r2 · b2,   b2 = ε(u; σ_r2) - ε,
///   u  = z - (σ - σ_r2)·ε - (r2/r1)·((σ - σ_r2)/(r2 h) - σ_r2)·b1
///
/// `order` evaluations; the lower of order 3 is z2 with r1 = 1/3 (the pair of DPM-Solver-23).
DpmStep dpm_step(std::int64_t order, const Denoiser& D, const Tensor& z, double sigma, double next);

}  // namespace edmund
