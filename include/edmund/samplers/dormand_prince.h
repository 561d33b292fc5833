#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>
#include <functional>

namespace edmund {

/// dy/dt at one time for every row: y [B, …] → the same shape.
using Slope = std::function<Tensor(double t, const Tensor& y)>;

/// A step, the estimate of its error (fifth order less fourth) and the slope at its end.
struct DormandPrinceStep {
  Tensor y, error, slope;
};
/// Step of the pair 5(4) of Dormand & Prince 1980 (Hairer et al. 1993, II.5, table 5.2) from y at t
/// to t + h. 6 evaluations.
DormandPrinceStep dormand_prince_step(const Slope& slope, double t, double h, const Tensor& y,
                                      const Tensor& slope_at_t);

/// What a step's error is held to: |error| <= absolute + relative·|y| in root mean square over a
/// row.
struct Tolerance {
  double relative = 1e-5, absolute = 1e-5;
  std::int64_t most_steps = 100000;  // tried, rejected ones included
};

struct Solution {
  Tensor y;                      // at the end, [B, n]
  std::int64_t evaluations = 0;  // of the slope: 2 + 6 for each step tried
  std::int64_t accepted = 0, rejected = 0;
};

/// y at `to` from y [B, n] at `from` (either direction) by the embedded pair of orders 5 and 4 of
/// Dormand & Prince 1980; the fifth-order solution goes on. Steps are chosen as Hairer, Nørsett &
/// Wanner 1993 say (II.4: first step; factor 0.9·error^(-1/5) in [0.2, 10]).
///
/// All rows share the steps, since a denoiser takes one noise level for a batch, but each row has
/// its own error and the worst one decides: no row hides behind the mean of the others. On one row
/// these are the steps of SciPy's RK45. Where results must not depend on the batch, solve one row a
/// call. Throws Error if values are not finite, if the step falls below the spacing of doubles, or
/// after `most_steps`.
Solution dormand_prince(const Slope& slope, Tensor y, double from, double to, const Tolerance& tolerance);

}  // namespace edmund
