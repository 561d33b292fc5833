#pragma once

#include "edmund/core/options.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/ops/tensor.h"
#include "edmund/samplers/sampler.h"

#include <cstddef>
#include <cstdint>

// What multistep samplers share. They work in z = x/s, where the ODE is dz/dℓ = z - D(z; e^ℓ) with ℓ = ln σ on every schedule.
namespace edmund {

/// φ_0 = e^x, φ_k = (φ_{k-1} - 1/(k-1)!)/x = ∫₀¹ e^{(1-τ)x} τ^{k-1}/(k-1)! dτ (Hochbruck & Ostermann 2010, eq. 2.11), to rounding
/// near x = 0 too; k >= 0.
double phi(int k, double x);

/// Classical fourth-order Runge–Kutta step in ln σ from z at σ to `next`, 0 < next < σ. `denoised` is D(z; σ): 3 evaluations more.
Tensor runge_kutta_step(const Denoiser& D, const Tensor& z, double sigma, double next, const Tensor& denoised);

/// Order of a multistep method of order `order` at each of its steps.
///
///   warm_up  lower   step i (from 0) has order i + 1 at most: the method as it is published. The first step is then of order 1,
///                    which leaves an error of order 2 in all that follows. Or runge_kutta: runge_kutta_step for the first
///                    order - 1 steps, which keeps the order
///   ending   full    or lower: at most as many as there are steps left, that to σ = 0 counted unless `final` is none. The codes
///                    of Lu et al. do so below 10 steps, diffusers below 15; k-diffusion does not
struct OrderPolicy {
  std::int64_t order = 1;
  bool runge_kutta = false, lower_ending = false;

  /// Step i of `steps` between grid times is a runge_kutta_step.
  bool starts(std::size_t i) const { return runge_kutta && static_cast<std::int64_t>(i) + 1 < order; }
  std::int64_t at(std::size_t i, std::size_t steps, Final final) const;
};
OrderPolicy read_order_policy(Options& options, std::int64_t order);

}  // namespace edmund
