#pragma once

#include "edmund/core/options.h"
#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/samplers/sampler.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string_view>
#include <vector>

// What multistep samplers share. They work in z = x/s, where the ODE is dz/dℓ = z - D(z; e^ℓ) with ℓ = ln σ on every schedule.
namespace edmund {

/// What multistep samplers keep of past steps, newest first: a place on the axis of their polynomial and the value there.
struct Past {
  double at;
  Tensor value;
};
using History = std::deque<Past>;
/// Puts the newest value in front and forgets all but `keep`.
void remember(History& past, Past newest, std::size_t keep);

/// φ_0 = e^x, φ_k = (φ_{k-1} - 1/(k-1)!)/x = ∫₀¹ e^{(1-τ)x} τ^{k-1}/(k-1)! dτ (Hochbruck & Ostermann 2010, eq. 2.11), to rounding
/// near x = 0 too; k >= 0.
double phi(int k, double x);

/// Weights w of the n distinct nodes for which Σ_j w_j·node_j^i = moment_i, i = 0 … n-1: the quadrature that is exact for polynomials of
/// degree n - 1.
std::vector<double> quadrature_weights(const std::vector<double>& nodes, std::vector<double> moments);

/// ∫ f over [a, b] to 13 digits by bisected 10-point Gauss–Legendre rules; f may have kinks.
double integral(const std::function<double(double)>& f, double a, double b);

/// Classical fourth-order Runge–Kutta step in ln σ from z at σ to `next`, 0 < next < σ. `denoised` is D(z; σ): 3 evaluations more.
Tensor runge_kutta_step(const Denoiser& D, const Tensor& z, double sigma, double next, const Tensor& denoised);

/// Order of a multistep method of order `order` at each of its steps. Towards the end, where D bends most, it may step down.
///
///   warm_up  lower   step i (from 0) has order i + 1 at most: the method as it is published. The first step is then of order 1,
///                    which leaves an error of order 2 in all that follows. Or runge_kutta: runge_kutta_step for the first
///                    order - 1 steps, which keeps the order
///   lower_order_final  never
///                      always      the last step is of order 1, the one before it of order 2 … (UniPC)
///                      diffusers   the same if there are fewer than 15 steps
///                      authors     the same if there are fewer than 10 steps between grid times (dpm-solver)
///                      last        only the last step is of order 1 (diffusers' euler_at_final)
///   final    denoise   or euler, none
///
/// The step to σ = 0 (unless final is none) counts as the last step, except with `authors`. D itself is of order 1.
struct OrderPolicy {
  enum class Lower { kNever, kAlways, kDiffusers, kAuthors, kLast };
  std::size_t order = 1;
  bool runge_kutta = false;
  Lower lower = Lower::kNever;
  Final final = Final::kDenoise;

  /// Step i of those between grid times is a runge_kutta_step.
  bool starts(std::size_t i) const { return runge_kutta && i + 1 < order; }
  /// Order of step i, counted from 0, of `gaps` steps between grid times.
  std::size_t at(std::size_t i, std::size_t gaps) const;
};
/// Reads `warm_up`, `lower_order_final` (`lower` if it is not given) and `final`.
OrderPolicy read_order_policy(Options& options, std::int64_t order, std::string_view lower = "never");

}  // namespace edmund
