#pragma once

#include "edmund/ops/tensor.h"

#include <functional>

namespace edmund {

/// dz/dp at place p.
using Slope = std::function<Tensor(const Tensor& z, double p)>;

/// A step, the estimate of its error (fifth order less fourth) and the slope at its end.
struct DormandPrinceStep {
  Tensor z, error, slope;
};
/// Step of the pair 5(4) of Dormand & Prince 1980 (Hairer et al. 1993, II.5, table 5.2) from z at p to p + h; `slope` is f(z, p).
/// 6 evaluations.
DormandPrinceStep dormand_prince_step(const Slope& f, const Tensor& z, const Tensor& slope, double p, double h);

}  // namespace edmund
