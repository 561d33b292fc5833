#pragma once

#include "edmund/core/options.h"
#include "edmund/ops/tensor.h"
#include "edmund/samplers/sampler.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

namespace edmund {

/// What multistep samplers keep of past steps, newest first: a place on the axis of their polynomial and the value there.
struct Past {
  double at;
  Tensor value;
};
using History = std::deque<Past>;
/// Puts the newest value in front and forgets all but `keep`.
void remember(History& past, Past newest, std::size_t keep);

/// φ_k(h) = ∫₀¹ e^((1-τ)h) τ^(k-1)/(k-1)! dτ, φ_0 = e^h (Hochbruck & Ostermann 2010); to rounding for every h, 0 too.
double varphi(int k, double h);

/// Weights w of the n distinct nodes for which Σ_j w_j·node_j^i = moment_i, i = 0 … n-1: the quadrature that is exact for polynomials of
/// degree n - 1.
std::vector<double> quadrature_weights(const std::vector<double>& nodes, std::vector<double> moments);

/// ∫ f over [a, b] to 13 digits by bisected 10-point Gauss–Legendre rules; f may have kinks.
double integral(const std::function<double(double)>& f, double a, double b);

/// Order of each step of a multistep sampler. The first has no past and is of order 1, the second at most 2, and so on. Towards the end,
/// where D bends most, `lower_order_final` may step down in the same way.
///
///   lower_order_final  never
///                      always      the last step is of order 1, the one before it of order 2 … (UniPC)
///                      diffusers   the same if there are fewer than 15 steps
///                      authors     the same if there are fewer than 10 steps between grid times (dpm-solver)
///                      last        only the last step is of order 1 (diffusers' euler_at_final)
///
/// The step to σ = 0 (unless final is none) counts as the last step, except with `authors`. D itself is of order 1.
struct Orders {
  enum class Lower { kNever, kAlways, kDiffusers, kAuthors, kLast };
  std::size_t highest = 1;
  Lower lower = Lower::kNever;
  Final final = Final::kDenoise;

  /// Order of step i, counted from 0, of `gaps` steps between grid times.
  std::size_t at(std::size_t i, std::size_t gaps) const;
};
/// Reads `order` (in [1, 3]), `lower_order_final` and `final`.
Orders read_orders(Options& options, std::int64_t order, std::string_view lower);

}  // namespace edmund
