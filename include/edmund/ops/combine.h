#pragma once

#include "edmund/core/tensor.h"
#include "edmund/ops/random.h"

#include <initializer_list>
#include <variant>

namespace edmund::ops {

/// factor·x, a part of a sum; x is a tensor of any float dtype, or normal numbers that are drawn where the sum is made.
struct Term {
  double factor = 0.0;
  std::variant<Tensor, Draw> x = {};
};

/// Σ factor·x, what preconditioning, samplers and churn are made of: summed in float64, then of the dtype and memory order of the first term, which must
/// be a tensor [B, …]. Terms with an undefined tensor are left out. The fast operators take one pass over the memory, for at most four tensors and
/// one draw, unless gradients are wanted.
Tensor combine(std::initializer_list<Term> terms);

/// factor·z as a network takes it best: in its dtype, and in the memory order of the fast operators if they are chosen.
Tensor network_input(double factor, const Tensor& z, at::ScalarType dtype);

}  // namespace edmund::ops
