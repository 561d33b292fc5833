#pragma once

#include "edmund/core/options.h"
#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/diffusion/noise_source.h"
#include "edmund/ops/sum.h"
#include "edmund/samplers/sampler.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string_view>
#include <vector>

// What multistep samplers share. They work in z = x/s, where the ODE is dz/dℓ = z - D(z; e^ℓ) with
// ℓ = ln σ on every schedule.
namespace edmund {

/// What multistep samplers keep of past steps, newest first: a place on the axis of their
/// polynomial and the value there.
struct Past {
  double at;
  ops::Sum value;
};
using History = std::deque<Past>;
/// Computes the newest value, puts it in front and forgets all but `keep`.
void remember(History& past, const Past& newest, std::size_t keep);

/// Σ_j C_j·m_j, m_j the newest `order` values, C_j = ∫ L_j dμ: L_j are the Lagrange polynomials
/// through their places. moment(i) = ∫ τ^i dμ, τ the place counted from the newest in units of
/// `length`.
ops::Sum lagrange_integral(const History& m, std::size_t order, double length,
                           const std::function<double(int)>& moment);

/// Newton's divided differences m[0], m[0, 1], m[0, 1, 2], … of the newest `order` values, places
/// in units of `length`.
std::vector<ops::Sum> divided_differences(const History& m, std::size_t order, double length);

/// A step of a multistep method, from z = x/s at σ to σ(u) = `next`.
struct MultistepStep {
  const NoiseSchedule* schedule = nullptr;
  double t = 0.0, u = 0.0;         // grid times
  double sigma = 0.0, next = 0.0;  // σ(t), σ(u); next is 0 in a step to σ = 0
  ops::Sum z, D;                   // D(z; σ)
  std::size_t order = 1;           // that the policy gives the step
  ops::Sum eps() const { return (z - D) / sigma; }
};

/// Classical fourth-order Runge–Kutta step in ln σ, for 0 < next < σ: 3 evaluations more.
ops::Sum runge_kutta_step(const Denoiser& D, const MultistepStep& step);

/// Order of a multistep method of order `order` at each of its steps. Towards the end, where D
/// bends most, it may step down.
///
///   warm_up  lower   step i (from 0) has order i + 1 at most: the method as it is published. The
///                    first step is then of order 1, which leaves an error of order 2 in all that
///                    follows. Or runge_kutta: runge_kutta_step for the first order - 1 steps,
///                    which keeps the order
///   lower_order_final  never
///                      always      the last step is of order 1, the one before of 2 … (UniPC)
///                      diffusers   the same if there are fewer than 15 steps
///                      authors     the same if fewer than 10 between grid times (dpm-solver)
///                      last        only the last step is of order 1 (diffusers' euler_at_final)
///   final    denoise   or euler, none
///
/// The step to σ = 0 (unless final is none) counts as the last step, except with `authors`. D
/// itself is of order 1.
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

/// What makes a multistep sampler: one evaluation a step, and z' from it and those of the steps
/// before.
struct MultistepMethod {
  OrderPolicy orders;
  /// What is kept of a step.
  std::function<Past(const MultistepStep&)> value;
  /// z'; the newest value is that of this step.
  std::function<ops::Sum(const MultistepStep&, const History&, NoiseSource&)> update;
  /// The same step's z' once more, with the value that was found there; empty: z' stays.
  std::function<ops::Sum(const MultistepStep&, const History&, const Past& ahead)> correct = nullptr;
  /// A step of the method leads to σ = 0 in place of `final`.
  bool to_zero = false;
};
Sampler multistep(MultistepMethod method);

}  // namespace edmund
