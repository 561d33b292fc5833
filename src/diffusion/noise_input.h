#pragma once

#include "edmund/core/interval.h"
#include "edmund/core/options.h"
#include "edmund/core/table.h"
#include "edmund/core/tensor.h"

#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace edmund {

/// How a network is told the noise level, and which levels it knows (see Preconditioning).
struct NoiseInput {
  std::function<Tensor(const Tensor& sigma)> noise;  // σ [B] → c_noise [B], dtype and device of σ
  Interval sigmas = {0.0, std::numeric_limits<double>::infinity()};
  std::vector<double> levels = {}, rounding = {};
};
using NoiseInputFactory = NoiseInput(Options&);

std::span<const Entry<NoiseInputFactory>> noise_inputs();

/// Index of the nearest of `known` (ascending float64 [levels], where σ lies) for each σ; ties to
/// the larger.
Tensor nearest_index(const Tensor& sigma, const Tensor& known);

}  // namespace edmund
