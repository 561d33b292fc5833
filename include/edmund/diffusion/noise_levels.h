#pragma once

#include "edmund/core/options.h"
#include "edmund/core/table.h"

#include <cstdint>
#include <functional>
#include <span>

namespace edmund {

/// Training distribution of σ as its quantile function: σ = levels(u), u in (0, 1), strictly
/// increasing.
using NoiseLevels = std::function<double(double u)>;
using NoiseLevelsFactory = NoiseLevels(Options&);

std::span<const Entry<NoiseLevelsFactory>> noise_levels_table();
/// Distribution that `type` names (default lognormal). Wrong options are recorded; the result is
/// valid in any case.
NoiseLevels make_noise_levels(Options& options);

/// Inverse of the standard normal distribution function, u in (0, 1); relative error below 1e-15
/// (Wichura 1988, AS 241).
double normal_quantile(double u);

/// u = (i + v)/batch, i = position mod batch: one draw in each of `batch` equal strata, in (0, 1)
/// for v in (0, 1). position: of the training image in the whole sequence, so that the draws do not
/// depend on how a batch is split.
double stratified(std::int64_t position, std::int64_t batch, double v);

}  // namespace edmund
