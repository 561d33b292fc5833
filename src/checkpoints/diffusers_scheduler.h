#pragma once

#include "json_settings.h"

#include <nlohmann/json.hpp>
#include <string>

namespace edmund {

/// What a scheduler of huggingface/diffusers says of the model that it samples.
struct DiffusersConvention {
  nlohmann::ordered_json preconditioning, sampling;
  /// Of the images that the network knows: x there = scale·x here + shift.
  double scale = 1.0, shift = 0.0;
  bool takes_sigma = false;  // the network's noise input is the logarithm of σ there
};

/// Reads scheduler_config.json; `steps` in place of the number that its pipeline takes by default,
/// if above 0. Throws Error naming a setting that has no counterpart here.
DiffusersConvention diffusers_convention(JsonSettings settings, std::int64_t steps = 0);

/// Those of schedulers without a table of betas.
DiffusersConvention score_sde_ve_convention(JsonSettings& settings, std::int64_t steps);
DiffusersConvention edm_convention(JsonSettings& settings, std::int64_t steps);
DiffusersConvention flow_euler_convention(JsonSettings& settings, std::int64_t steps);
DiffusersConvention flow_heun_convention(JsonSettings& settings, std::int64_t steps);

}  // namespace edmund
