// Diffusers' Euler, Heun, Euler-ancestral, DPM-2 and LMS schedulers on the σ's of a table or of
// EDM: whole trajectories.
#include "edmund/samplers/sampler.h"
#include "samplers/noise.h"
#include "samplers/scheduler.h"
#include "support/catch.h"
#include "support/device.h"
#include "support/golden.h"
#include "support/mixture.h"

#include <algorithm>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>
#include <cmath>
#include <numbers>

namespace edmund::testing {
namespace {

constexpr double kSinglePrecision = 2e-5;  // of max|reference| of a trajectory
constexpr double kOfAState = 1e-4;         // of max|reference| of one state, which may be smaller

// Noise that a scheduler adds before a step, under the reference's names and defaults.
struct AddedNoise {
  double s_churn = 0.0, s_tmin = 0.0, s_tmax = 1e300, s_noise = 1.0;

  void take_from(nlohmann::json& step) {
    take(step, "s_churn", s_churn), take(step, "s_tmin", s_tmin), take(step, "s_tmax", s_tmax),
        take(step, "s_noise", s_noise);
  }
  // Standard deviation of it at σ in a run of n steps.
  double at(double sigma, std::size_t n) const {
    const double gamma = std::min(s_churn / static_cast<double>(n), std::numbers::sqrt2 - 1);
    return sigma < s_tmin || sigma > s_tmax ? 0.0 : s_noise * sigma * std::sqrt(gamma * (2 + gamma));
  }
  // Ours.
  std::string yaml() const {
    if (s_churn == 0) return "";
    return ", S_churn: " + number_text(s_churn) + ", S_min: " + number_text(s_tmin) +
           ", S_max: " + number_text(s_tmax) + ", S_noise: " + number_text(s_noise);
  }
};

// What of a scheduler makes a trajectory: x = z, as the reference works without scale.
struct Run {
  std::string sampler;  // YAML, without braces
  Prediction prediction;
  std::vector<double> sigmas;
  bool to_zero = true;
  AddedNoise added = {};
  // Level that the file's network was asked for in each evaluation, where it is not the sampler's.
  std::vector<double> asked = {};
  std::string final() const {
    return sampler.find("to_zero") != std::string::npos ? "" : to_zero ? ", final: denoise" : ", final: none";
  }
};

// A scheduler's grid under the reference's names and defaults.
struct Config {
  BetaTable table;
  std::string prediction_type = "epsilon", timestep_spacing = "linspace", final_sigmas_type = "zero";
  std::int64_t steps_offset = 0, num_inference_steps = 0;
  SigmaSpacing spacing;
  AddedNoise added;

  Config(const nlohmann::json& settings, const BetaTable& defaults) : table(defaults) {
    num_inference_steps = settings.at("num_inference_steps").get<std::int64_t>();
    nlohmann::json config = config_of(settings), step = settings.value("step", nlohmann::json::object());
    table.take_from(config), table.terminal_alpha_bar = kSigmaTableAlphaBar;
    take(config, "prediction_type", prediction_type), take(config, "timestep_spacing", timestep_spacing);
    take(config, "final_sigmas_type", final_sigmas_type), take(config, "steps_offset", steps_offset);
    spacing.take_from(config), spacing.take_range(config);
    added.take_from(step);
    require_empty(config, step);
    require(final_sigmas_type == "zero" || final_sigmas_type == "sigma_min", "golden: unknown final_sigmas_type '{}'",
            final_sigmas_type);
  }
  bool to_zero() const { return final_sigmas_type == "zero"; }

  // The scheduler's timesteps, which count from 0 and need not be whole, before they are spaced in
  // σ.
  std::vector<double> timesteps(const NoiseSchedule& schedule) const {
    std::vector<double> t;
    const auto n = static_cast<double>(num_inference_steps), last = static_cast<double>(schedule.levels().size()) - 1;
    if (timestep_spacing == "linspace")
      for (double i = 0; i < n; ++i) t.push_back(last - last * i / (n - 1));
    else
      for (const double entry : native(schedule, num_inference_steps, timestep_spacing, steps_offset).t)
        t.push_back(entry - 1);
    return t;
  }
  // σ there, linear in σ between entries.
  std::vector<double> sigmas(const NoiseSchedule& schedule) const {
    const std::vector<double> levels = table.levels();
    std::vector<double> out;
    for (const double t : timesteps(schedule)) {
      const std::size_t low = std::min(static_cast<std::size_t>(t), levels.size() - 2);
      out.push_back(std::lerp(levels[low], levels[low + 1], t - static_cast<double>(low)));
    }
    return spacing.any() ? spacing.between(out.front(), out.back(), num_inference_steps) : out;
  }
};

// What a scheduler evaluates between two levels of its grid: the next one (Heun), or the middle in
// ln σ (DPM-2).
enum class Between { kNothing, kNext, kMiddle };

// The file's grid of a case, each σ as often as the reference stores it: where there are two
// evaluations a step, twice but for the first. Timesteps are those of the evaluations.
void check_grid(Golden& golden, const std::string& name, const Config& config, const std::vector<double>& sigmas,
                Between between) {
  const auto schedule = config.table.schedule();
  config.table.check(golden, name);
  const std::vector<double> spaced = config.timesteps(*schedule);
  const auto timestep = [&](std::size_t i) {
    return config.spacing.any() ? timestep_of(config.table.levels(), sigmas[i]) : spaced[i];
  };
  std::vector<double> all, timesteps;
  for (std::size_t i = 0; i < sigmas.size(); ++i) {
    if (i > 0 && between != Between::kNothing) {
      all.push_back(sigmas[i]);
      timesteps.push_back(between == Between::kNext
                              ? timestep(i)
                              : timestep_of(config.table.levels(), std::sqrt(sigmas[i - 1] * sigmas[i])));
    }
    all.push_back(sigmas[i]), timesteps.push_back(timestep(i));
  }
  all.push_back(config.to_zero() ? 0.0 : schedule->sigmas().low);
  if (between == Between::kMiddle) all.insert(all.end(), {0.0, 0.0});
  check_sigmas(golden, name, all, config.spacing.tolerance());
  // so much in σ is 0.03 in t where ln σ grows least
  const bool found = config.spacing.any() || between == Between::kMiddle;
  golden.check_each(name + ".timesteps", timesteps, 1e-6, found ? 0.03 : 0.0);
}

void check_run(Golden& golden, const std::string& name, const Run& run) {
  const bool stochastic = golden.has(name + ".noise");
  const std::vector<double>& sigmas = run.sigmas;
  const auto schedule = schedule_of("{type: edm, sigma_min: " + number_text(sigmas.back()) +
                                    ", sigma_max: " + number_text(sigmas.front()) + "}");
  const Tensor samples = golden.real(name + ".samples"), outputs = golden.real(name + ".model_outputs"),
               inputs = golden.real(name + ".model_inputs");

  // Our samplers draw at every step, the reference only where it churns; at the last step, to σ =
  // 0, it alone draws.
  Tensor draws = at::empty({0}, at::kDouble);
  std::vector<double> added(sigmas.size(), 0.0);
  if (stochastic) {
    const Tensor stored = golden.real(name + ".noise");
    std::vector<Tensor> all;
    std::int64_t next = 0;
    for (std::size_t i = 0; i < sigmas.size(); ++i) {
      if (run.added.s_churn > 0) added[i] = run.added.at(sigmas[i], sigmas.size());
      all.push_back(run.added.s_churn == 0 || added[i] > 0 ? stored[next++] : at::zeros_like(samples[0]));
    }
    golden.check(name + ": every draw belongs to a step", next == stored.size(0));
    draws = at::stack(all);
  }

  const Mixture mixture = Mixture::from(golden);
  for (const bool from_file : {true, false}) {
    std::size_t call = 0;
    std::vector<Tensor> states, scaled;
    const Denoiser D = [&](const Tensor& z, double sigma) {
      const auto k = static_cast<std::int64_t>(call++);
      // The reference asks its network before the churn and takes what it says about the noise.
      const bool lifted = run.added.s_churn > 0 && added[call - 1] > 0;
      const Tensor before = lifted ? z - added[call - 1] * draws[k] : z;
      const double told = lifted ? sigmas[call - 1] : sigma;
      states.push_back(before), scaled.push_back(run.prediction.in(told)*before);
      if (from_file) return run.prediction.denoised(z, sigma, outputs[k]);
      const double asked = run.asked.empty() ? told : run.asked.at(static_cast<std::size_t>(k));
      const Tensor seen = run.prediction.in(told) / run.prediction.in(asked)*before;
      return run.prediction.denoised(z, sigma, run.prediction.output(seen, asked, mixture.denoised(seen, asked)));
    };
    ReplayedNoise noise(draws);
    const Tensor last = made(make_sampler, "{type: " + run.sampler + run.added.yaml() + run.final() + "}")(
        D, *schedule, {sigmas}, samples[0], noise);
    states.push_back(last);
    // a last step from σ_min to σ_min: nothing moves, but the reference calls its network
    if (!run.to_zero) states.push_back(last), scaled.push_back(run.prediction.in(sigmas.back()) * last);
    const std::string label = name + (from_file ? ", stored outputs" : ", mixture");
    golden.check_max_of(label, at::stack(states), samples, kSinglePrecision);
    for (std::size_t i = 0; i < states.size(); ++i)
      golden.check_max_of(label + ", state " + std::to_string(i), states[i], samples[static_cast<std::int64_t>(i)],
                          kOfAState);
    // Late inputs are small, but carry the rounding of the first, large samples.
    golden.check_each_of(label + ", model inputs", at::stack(scaled), inputs, kSinglePrecision,
                         1e-6 * samples.abs().max().item<double>());
  }
}

void check_case(Golden& golden, const std::string& name, const Config& config, const std::string& sampler,
                Between between = Between::kNothing) {
  Run run{.sampler = sampler, .prediction = Prediction(config.prediction_type), .to_zero = config.to_zero()};
  run.sigmas = config.sigmas(*config.table.schedule()), run.added = config.added;
  // At the middle the file's network sees the input for it, and is asked for the next level.
  if (between == Between::kMiddle)
    for (std::size_t i = 0; i < run.sigmas.size(); ++i)
      run.asked.insert(run.asked.end(), i == 0 ? 1 : 2, run.sigmas[i]);
  check_grid(golden, name, config, run.sigmas, between);
  check_run(golden, name, run);
}

const BetaTable kEulerTable{}, kHeunTable{.beta_start = 0.00085, .beta_end = 0.012};

}  // namespace

void check_euler(Golden& golden, const std::string& name, const nlohmann::json& settings) {
  check_case(golden, name, Config(settings, kEulerTable), "euler");
}
void check_euler_ancestral(Golden& golden, const std::string& name, const nlohmann::json& settings) {
  check_case(golden, name, Config(settings, kEulerTable), "ddim, eta: 1");
}
void check_heun(Golden& golden, const std::string& name, const nlohmann::json& settings) {
  check_case(golden, name, Config(settings, kHeunTable), "heun", Between::kNext);
}
void check_dpm_2(Golden& golden, const std::string& name, const nlohmann::json& settings) {
  check_case(golden, name, Config(settings, kHeunTable), "dpm_2", Between::kMiddle);
}
void check_lms(Golden& golden, const std::string& name, const nlohmann::json& settings) {
  nlohmann::json rest = settings;
  std::int64_t order = 4;
  if (rest.contains("step")) take(rest.at("step"), "order", order);
  check_case(golden, name, Config(rest, kEulerTable), "lms, to_zero: true, order: " + std::to_string(order));
}

void check_edm_euler(Golden& golden, const std::string& name, const nlohmann::json& settings) {
  nlohmann::json config = config_of(settings), step = settings.value("step", nlohmann::json::object());
  const EdmSigmas edm(config, settings.at("num_inference_steps").get<std::int64_t>());
  Run run{.sampler = "euler", .prediction = edm.prediction(), .sigmas = edm.sigmas, .to_zero = edm.to_zero};
  run.added.take_from(step);
  require_empty(config, step);
  edm.check(golden, name);
  check_run(golden, name, run);
}

TEST_CASE("euler is diffusers' Euler scheduler, with its churn, step by step", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler_euler_discrete"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items()) check_euler(golden, name, settings);
  });
}

TEST_CASE("heun is diffusers' Heun scheduler, evaluation by evaluation", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler_heun_discrete"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items()) check_heun(golden, name, settings);
  });
}

TEST_CASE("ddim with η = 1 is diffusers' Euler-ancestral scheduler, step by step", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler_euler_ancestral_discrete"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items()) check_euler_ancestral(golden, name, settings);
  });
}

}  // namespace edmund::testing
