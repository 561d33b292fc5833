#pragma once

#include "edmund/core/error.h"
#include "edmund/schedules/betas.h"
#include "edmund/schedules/noise_schedule.h"
#include "schedules/cases.h"
#include "schedules/float_tables.h"
#include "support/golden.h"

#include <ATen/TensorOperators.h>
#include <cmath>
#include <string>

namespace edmund::testing {

/// Takes `key` out of the settings of a scheduler into `value`, if it is there.
template <typename T>
void take(nlohmann::json& from, const char* key, T& value) {
  if (from.contains(key)) from.at(key).get_to(value);
  from.erase(key);
}

/// Fails on settings that no one took.
inline void require_empty(const nlohmann::json& config, const nlohmann::json& step = nlohmann::json::object()) {
  require(config.empty() && step.empty(), "golden: unknown settings of a scheduler: {} {}", config.dump(), step.dump());
}

/// Table of betas under diffusers' names and defaults.
struct BetaTable {
  std::string beta_schedule = "linear";
  std::int64_t num_train_timesteps = 1000;
  double beta_start = 1e-4, beta_end = 0.02;
  bool rescale_betas_zero_snr = false;

  void take_from(nlohmann::json& config) {
    take(config, "beta_schedule", beta_schedule), take(config, "num_train_timesteps", num_train_timesteps);
    take(config, "beta_start", beta_start), take(config, "beta_end", beta_end);
    take(config, "rescale_betas_zero_snr", rescale_betas_zero_snr);
  }
  std::string kind() const { return beta_schedule == "squaredcos_cap_v2" ? "cosine" : beta_schedule; }
  std::unique_ptr<NoiseSchedule> schedule() const {
    std::string yaml = "{type: ddpm, N: " + std::to_string(num_train_timesteps) + ", betas: " + kind();
    if (kind() != "cosine") yaml += ", beta_start: " + number_text(beta_start) + ", beta_end: " + number_text(beta_end);
    return schedule_of(yaml + (rescale_betas_zero_snr ? ", zero_terminal_snr: true}" : "}"));
  }
  std::vector<double> betas() const {
    return make_betas(kind(), num_train_timesteps, beta_start, beta_end);
  }  // not rescaled
  /// Compares the tables that the file stores for a case.
  void check(Golden& golden, const std::string& name) const {
    if (golden.has(name + ".betas")) check_betas(golden, name + ".betas", betas(), rescale_betas_zero_snr);
    if (golden.has(name + ".alphas_cumprod"))
      check_alpha_bar(golden, name + ".alphas_cumprod",
                      alphas_cumprod(rescale_betas_zero_snr ? with_zero_terminal_snr(betas()) : betas()), betas(),
                      rescale_betas_zero_snr, 2e-5);
  }
};

/// D that a model output at (z, σ) stands for, where the network sees z/√(1 + σ²).
inline Tensor predicted(const std::string& prediction_type, const Tensor& z, double sigma, const Tensor& output) {
  if (prediction_type == "epsilon") return z - sigma * output;
  if (prediction_type == "v_prediction")
    return z / (1 + sigma * sigma) - (sigma / std::sqrt(1 + sigma * sigma)) * output;
  require(prediction_type == "sample", "golden: unknown prediction type '{}'", prediction_type);
  return output;
}

/// Our `native` grid of a scheduler's timesteps.
inline TimeGrid native(const NoiseSchedule& schedule, std::int64_t steps, const std::string& spacing,
                       std::int64_t offset) {
  return made(make_grid,
              "{type: native, steps: " + std::to_string(steps) + ", spacing: " + spacing +
                  (spacing == "leading" ? ", offset: " + std::to_string(offset) : "") + "}",
              schedule, Interval{0.0, 1e300});
}

}  // namespace edmund::testing
