#pragma once

#include "edmund/core/options.h"
#include "edmund/core/table.h"
#include "edmund/diffusion/model.h"
#include "edmund/diffusion/noise_levels.h"
#include "edmund/training/trainable.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace edmund {

/// Sum over C, H, W and mean over the batch (Karras et al. 2022), or mean over all.
enum class Reduction { kSum, kMean };

/// What objectives have in common; part of `training:`.
struct ObjectiveSettings {
  /// Share of labels that become "no class" (Ho & Salimans 2022).
  double label_dropout = 0.0;
  Reduction reduction = Reduction::kSum;
  /// Noise levels of a batch: one in each of batch_size equal strata.
  bool stratified = true;
  /// loss/e^u + u with u(σ) trained along (Karras et al. 2024, EDM2).
  bool uncertainty = false;
  std::int64_t uncertainty_channels = 128;
  /// Whether the weight of u keeps its magnitude, as EDM2's own (an MPConv) does.
  bool uncertainty_normalized = false;
};
/// Reads label_dropout, reduction (sum | mean), stratified, uncertainty, uncertainty_channels and
/// uncertainty_normalized.
ObjectiveSettings objective_settings(Options& training);

/// What an objective is told of the run.
struct ObjectiveContext {
  ObjectiveSettings settings;
  NoiseLevels levels;
  std::int64_t batch_size = 64;
  std::int64_t num_classes = 0;  // of the network, 0: unconditional
  std::uint64_t seed = 0;
};

/// Puts an objective on a model; what it trains shares the model's network.
using Objective = std::function<std::unique_ptr<Trainable>(const DenoisingModel& model)>;
using ObjectiveFactory = Objective(Options&, const ObjectiveContext&);

std::span<const Entry<ObjectiveFactory>> objective_table();
/// Objective that `type` names (default denoise).
Objective make_objective(Options& options, const ObjectiveContext& context);

}  // namespace edmund
