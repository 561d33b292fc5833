#pragma once

#include "edmund/core/options.h"
#include "edmund/core/table.h"
#include "edmund/core/tensor.h"

#include <functional>
#include <span>

namespace edmund {

/// λ(σ) of λ(σ)·‖D - x0‖², σ [B] → [B]. Defined once, in D-space; the model converts it to its own
/// target. `unit` returns an undefined tensor: weight 1 in the space of the network's target, each
/// paper's own simple loss.
using LossWeight = std::function<Tensor(const Tensor& sigma)>;
using LossWeightFactory = LossWeight(Options&);

std::span<const Entry<LossWeightFactory>> loss_weight_table();
/// Weight that `type` names (default unit): unit, edm, min_snr (Hang et al. 2023), sigmoid (Kingma
/// & Gao 2023), snr …
LossWeight make_loss_weight(Options& options);

}  // namespace edmund
