#pragma once

#include "edmund/core/options.h"
#include "edmund/core/table.h"

#include <cstdint>
#include <functional>
#include <span>

namespace edmund {

/// Where a training step stands when its EMA is taken.
struct EmaMoment {
  std::int64_t step = 1;        // optimizer steps done, this one included
  std::int64_t images = 0;      // images learned from before this step
  std::int64_t batch_size = 0;  // images of this step
};

/// β of ema ← β·ema + (1-β)·parameters.
using EmaDecay = std::function<double(const EmaMoment&)>;
using EmaFactory = EmaDecay(Options&);

/// half_life, none, power, score_sde, warmup: see src/training/ema.cpp for formulas and options.
std::span<const Entry<EmaFactory>> ema_table();
/// Decay that `type` names (default half_life).
EmaDecay make_ema(Options& options);

/// Decay of the power-function EMA of relative width `sigma_rel` (Karras et al. 2024, eq. 127).
EmaDecay power_ema(double sigma_rel);

/// γ of the power-function EMA whose relative width (standard deviation over length of the run) is
/// `sigma_rel`, in (0, 1/√12) (Karras et al. 2024, section 3.1).
double power_ema_gamma(double sigma_rel);

}  // namespace edmund
