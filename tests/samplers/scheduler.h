#pragma once

#include "edmund/core/error.h"
#include "edmund/diffusion/preconditioning.h"
#include "edmund/diffusion/time_grid.h"
#include "edmund/schedules/betas.h"
#include "edmund/schedules/noise_schedule.h"
#include "schedules/cases.h"
#include "schedules/float_tables.h"
#include "support/golden.h"

#include <algorithm>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <optional>
#include <set>
#include <string>
#include <vector>

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

/// The `config` of a case; fails on what stands beside it and is not known.
inline nlohmann::json config_of(const nlohmann::json& settings) {
  static const std::set<std::string> known{"config",    "step",  "set",      "mu", "num_inference_steps",
                                           "scheduler", "model", "noise_arg"};
  for (const auto& [key, value] : settings.items())
    require(known.contains(key), "golden: unknown setting of a case: {}", key);
  return settings.at("config");
}

/// Table of betas under diffusers' names and defaults.
struct BetaTable {
  std::string beta_schedule = "linear";
  std::int64_t num_train_timesteps = 1000;
  double beta_start = 1e-4, beta_end = 0.02;
  bool rescale_betas_zero_snr = false;
  // ᾱ of the last entry with zero terminal SNR: 2^-24 in schedulers that keep a table of σ
  double terminal_alpha_bar = 0.0;

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
  /// σ of the entries.
  std::vector<double> levels() const {
    std::vector<double> out = schedule()->levels();
    if (rescale_betas_zero_snr && terminal_alpha_bar > 0) out.back() = std::sqrt(1 / terminal_alpha_bar - 1);
    return out;
  }
  std::vector<double> betas() const {
    return make_betas(kind(), num_train_timesteps, beta_start, beta_end);
  }  // not rescaled
  /// Compares the tables that the file stores for a case.
  void check(Golden& golden, const std::string& name) const {
    if (golden.has(name + ".betas")) check_betas(golden, name + ".betas", betas(), rescale_betas_zero_snr);
    if (!golden.has(name + ".alphas_cumprod")) return;
    auto alpha_bar = alphas_cumprod(rescale_betas_zero_snr ? with_zero_terminal_snr(betas()) : betas());
    if (rescale_betas_zero_snr) alpha_bar.back() = terminal_alpha_bar;
    check_alpha_bar(golden, name + ".alphas_cumprod", alpha_bar, betas(), rescale_betas_zero_snr, 2e-5);
  }
};

constexpr double kSigmaTableAlphaBar = 1.0 / (1 << 24);

/// Timestep of σ, counted from 0: ln σ is linear between the entries, and none lies beyond them.
inline double timestep_of(const std::vector<double>& levels, double sigma) {
  const auto above = std::clamp<std::ptrdiff_t>(std::upper_bound(levels.begin(), levels.end(), sigma) - levels.begin(),
                                                1, std::ssize(levels) - 1);
  const double low = std::log(levels[static_cast<std::size_t>(above) - 1]),
               high = std::log(levels[static_cast<std::size_t>(above)]);
  return static_cast<double>(above - 1) + std::clamp((std::log(sigma) - low) / (high - low), 0.0, 1.0);
}

/// How a scheduler spaces its σ where it does not take those of its timesteps: our grid of that
/// name, between the same ends.
struct SigmaSpacing {
  bool karras = false, exponential = false, beta = false, lu = false;
  std::optional<double> low, high;  // in place of the ends

  void take_from(nlohmann::json& config) {
    take(config, "use_karras_sigmas", karras), take(config, "use_exponential_sigmas", exponential);
    take(config, "use_beta_sigmas", beta), take(config, "use_lu_lambdas", lu);
    require(int{karras} + int{exponential} + int{beta} + int{lu} <= 1, "golden: more than one spacing of σ");
  }
  /// Of schedulers that have them.
  void take_range(nlohmann::json& config) {
    double value = 0.0;
    for (auto [key, end] : {std::pair{"sigma_min", &low}, std::pair{"sigma_max", &high}})
      if (config.contains(key)) take(config, key, value), *end = value;
  }
  bool any() const { return karras || exponential || beta || lu; }
  /// Suggested for what it makes, of the largest.
  double tolerance() const { return exponential || beta ? 1e-5 : 2e-6; }
  std::vector<double> between(double first, double last, std::int64_t n, double rho = 7) const {
    const auto edm = schedule_of("{type: edm, sigma_min: 1e-6, sigma_max: 1e6}");
    const std::string type = karras ? "karras, rho: " + number_text(rho) : beta ? "beta" : "log_snr";
    return made(make_grid,
                "{type: " + type + ", steps: " + std::to_string(n) + ", sigma_min: " + number_text(low.value_or(last)) +
                    ", sigma_max: " + number_text(high.value_or(first)) + "}",
                *edm, Interval{0.0, 1e300})
        .t;
  }
};

/// What the output F of a network stands for: a preconditioning of ours, D = skip·z + out·F.
class Prediction {
 public:
  /// Of a scheduler's prediction_type, where the network sees z/√(1 + σ²).
  explicit Prediction(const std::string& type) : Prediction(of_type(type), 1.0) {}
  /// EDM's, whose F has the other sign with v_prediction there.
  static Prediction edm(const std::string& type, double sigma_data) {
    require(type == "epsilon" || type == "v_prediction", "golden: unknown prediction type '{}'", type);
    return {"{type: edm, sigma_data: " + number_text(sigma_data) + "}", type == "epsilon" ? 1.0 : -1.0};
  }
  static Prediction flow() { return {"{type: flow}", 1.0}; }

  Tensor denoised(const Tensor& z, double sigma, const Tensor& F) const {
    const auto c = at(sigma);
    return c.skip.item<double>() * z + sign_ * c.out.item<double>() * F;
  }
  Tensor output(const Tensor& z, double sigma, const Tensor& D) const {
    const auto c = at(sigma);
    return (D - c.skip.item<double>() * z) / (sign_ * c.out.item<double>());
  }
  double in(double sigma) const { return at(sigma).in.item<double>(); }
  double noise(double sigma) const { return at(sigma).noise.item<double>(); }

 private:
  Prediction(const std::string& yaml, double sign) : ours_(made(make_preconditioning, yaml)), sign_(sign) {}
  static std::string of_type(const std::string& type) {
    if (type == "flow_prediction") return "{type: flow}";
    require(type == "epsilon" || type == "v_prediction" || type == "sample", "golden: unknown prediction type '{}'",
            type);
    return type == "epsilon" ? "{type: eps}" : type == "sample" ? "{type: x0}" : "{type: v}";
  }
  EdmCoefficients at(double sigma) const { return ours_.edm(at::full({1}, sigma, at::kDouble)); }

  Preconditioning ours_;
  double sign_;
};

/// Checks the noise levels of a case: of the largest as suggested, and each as well as 1 - ᾱ in
/// single precision lets it be, which loses up to 4 digits at the clean end.
inline void check_sigmas(Golden& golden, const std::string& name, const std::vector<double>& sigmas,
                         double tolerance = 2e-6) {
  golden.check_max(name + ".sigmas", at::tensor(at::ArrayRef<double>(sigmas)), tolerance);
  golden.check_each(name + ".sigmas", sigmas, 3e-4);
}

/// σ of diffusers' EDM schedulers, whose own settings it takes out of `config`.
struct EdmSigmas {
  double sigma_data = 0.5;
  std::string prediction_type = "epsilon";
  bool to_zero = true;
  SigmaSpacing spacing;
  std::vector<double> sigmas;

  EdmSigmas(nlohmann::json& config, std::int64_t n) {
    double low = 0.002, high = 80.0, rho = 7.0;
    std::int64_t train = 1000;  // no part of it
    std::string schedule = "karras", final = "zero";
    take(config, "sigma_min", low), take(config, "sigma_max", high), take(config, "sigma_data", sigma_data);
    take(config, "rho", rho), take(config, "sigma_schedule", schedule), take(config, "final_sigmas_type", final);
    take(config, "prediction_type", prediction_type), take(config, "num_train_timesteps", train);
    require(schedule == "karras" || schedule == "exponential", "golden: unknown sigma_schedule '{}'", schedule);
    require(final == "zero" || final == "sigma_min", "golden: unknown final_sigmas_type '{}'", final);
    to_zero = final == "zero";
    spacing.karras = schedule == "karras", spacing.exponential = !spacing.karras;
    sigmas = spacing.between(high, low, n, rho);
  }
  Prediction prediction() const { return Prediction::edm(prediction_type, sigma_data); }
  /// The tables of a case.
  void check(Golden& golden, const std::string& name) const {
    std::vector<double> all = sigmas, timesteps;
    for (const double sigma : sigmas) timesteps.push_back(prediction().noise(sigma));
    all.push_back(to_zero ? 0.0 : sigmas.back());
    check_sigmas(golden, name, all, spacing.tolerance());
    golden.check_max(name + ".timesteps", at::tensor(at::ArrayRef<double>(timesteps)), spacing.tolerance());
  }
};

/// Our `native` grid of a scheduler's timesteps.
inline TimeGrid native(const NoiseSchedule& schedule, std::int64_t steps, const std::string& spacing,
                       std::int64_t offset) {
  return made(make_grid,
              "{type: native, steps: " + std::to_string(steps) + ", spacing: " + spacing +
                  (spacing == "leading" ? ", offset: " + std::to_string(offset) : "") + "}",
              schedule, Interval{0.0, 1e300});
}

/// Checks of one case; the table of which scheduler is served by which is in
/// golden_schedulers2_test.cpp.
using SchedulerCheck = void (*)(Golden& golden, const std::string& name, const nlohmann::json& settings);
void check_ddim(Golden& golden, const std::string& name, const nlohmann::json& settings);
void check_ddpm(Golden& golden, const std::string& name, const nlohmann::json& settings);
void check_euler(Golden& golden, const std::string& name, const nlohmann::json& settings);
void check_euler_ancestral(Golden& golden, const std::string& name, const nlohmann::json& settings);
void check_heun(Golden& golden, const std::string& name, const nlohmann::json& settings);
void check_edm_euler(Golden& golden, const std::string& name, const nlohmann::json& settings);
void check_flow_match(Golden& golden, const std::string& name, const nlohmann::json& settings);
void check_dpm_solver(Golden& golden, const std::string& name, const nlohmann::json& settings);
void check_unipc(Golden& golden, const std::string& name, const nlohmann::json& settings);
void check_deis(Golden& golden, const std::string& name, const nlohmann::json& settings);
void check_dpm_2(Golden& golden, const std::string& name, const nlohmann::json& settings);
void check_lms(Golden& golden, const std::string& name, const nlohmann::json& settings);
void check_edm_dpm_solver(Golden& golden, const std::string& name, const nlohmann::json& settings);

}  // namespace edmund::testing
