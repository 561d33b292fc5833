// Diffusers' Euler, Heun and Euler-ancestral schedulers on the σ's of a table, and Euler on flow
// times: whole trajectories.
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

// A scheduler's grid under the reference's names and defaults.
struct Config {
  BetaTable table;
  std::string prediction_type = "epsilon", timestep_spacing = "linspace", final_sigmas_type = "zero";
  std::int64_t steps_offset = 0, num_inference_steps = 0;
  bool use_karras_sigmas = false, use_exponential_sigmas = false;
  double s_churn = 0.0, s_tmin = 0.0, s_tmax = 1e300, s_noise = 1.0;

  Config(const nlohmann::json& settings, const BetaTable& defaults) : table(defaults) {
    num_inference_steps = settings.at("num_inference_steps").get<std::int64_t>();
    nlohmann::json config = settings.at("config"), step = settings.value("step", nlohmann::json::object());
    table.take_from(config);
    take(config, "prediction_type", prediction_type), take(config, "timestep_spacing", timestep_spacing);
    take(config, "final_sigmas_type", final_sigmas_type), take(config, "steps_offset", steps_offset);
    take(config, "use_karras_sigmas", use_karras_sigmas),
        take(config, "use_exponential_sigmas", use_exponential_sigmas);
    take(step, "s_churn", s_churn), take(step, "s_tmin", s_tmin), take(step, "s_tmax", s_tmax),
        take(step, "s_noise", s_noise);
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
    const std::vector<double> levels = schedule.levels();
    std::vector<double> out;
    for (const double t : timesteps(schedule)) {
      const std::size_t low = std::min(static_cast<std::size_t>(t), levels.size() - 2);
      out.push_back(std::lerp(levels[low], levels[low + 1], t - static_cast<double>(low)));
    }
    if (!in_sigma()) return out;
    const auto edm = schedule_of("{type: edm, sigma_min: 1e-6, sigma_max: 1e6}");
    return made(make_grid,
                std::string("{type: ") + (use_karras_sigmas ? "karras" : "log_snr") +
                    ", steps: " + std::to_string(num_inference_steps) + ", sigma_min: " + number_text(out.back()) +
                    ", sigma_max: " + number_text(out.front()) + "}",
                *edm, Interval{0.0, 1e300})
        .t;
  }
  bool in_sigma() const { return use_karras_sigmas || use_exponential_sigmas; }
  // Standard deviation that churn adds at σ.
  double churned(double sigma) const {
    const double gamma = std::min(s_churn / static_cast<double>(num_inference_steps), std::numbers::sqrt2 - 1);
    return sigma < s_tmin || sigma > s_tmax ? 0.0 : s_noise * sigma * std::sqrt(gamma * (2 + gamma));
  }
};

// The file's grid of a case, each σ as often as the reference stores it (Heun: twice, between the
// first and the last).
void check_grid(Golden& golden, const std::string& name, const Config& config, const std::vector<double>& sigmas,
                bool heun) {
  const auto schedule = config.table.schedule();
  config.table.check(golden, name);
  const std::vector<double> spaced = config.timesteps(*schedule);
  std::vector<double> all, timesteps;
  for (std::size_t i = 0; i < sigmas.size(); ++i) {
    for (int copy = 0; copy < (heun && i > 0 ? 2 : 1); ++copy) {
      all.push_back(sigmas[i]);
      timesteps.push_back(config.in_sigma() ? schedule->time(sigmas[i]) - 1 : spaced[i]);
    }
  }
  all.push_back(config.to_zero() ? 0.0 : schedule->sigmas().low);
  golden.check_each(name + ".sigmas", all,
                    // 1 - ᾱ in single precision; so much in σ is 0.03 in t where ln σ grows least
                    3e-4);
  golden.check_each(name + ".timesteps", timesteps, 1e-6, config.in_sigma() ? 0.03 : 0.0);
}

void check_case(Golden& golden, const std::string& name, const Config& config, const std::string& sampler) {
  const bool heun = sampler.starts_with("heun"), stochastic = golden.has(name + ".noise");
  const std::vector<double> sigmas = config.sigmas(*config.table.schedule());
  check_grid(golden, name, config, sigmas, heun);
  // x = z: the reference works without scale.
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
      if (config.s_churn > 0) added[i] = config.churned(sigmas[i]);
      all.push_back(config.s_churn == 0 || added[i] > 0 ? stored[next++] : at::zeros_like(samples[0]));
    }
    golden.check(name + ": every draw belongs to a step", next == stored.size(0));
    draws = at::stack(all);
  }
  const auto before_churn = [&](const Tensor& z, std::size_t i) {
    return added[i] > 0 ? z - added[i] * draws[static_cast<std::int64_t>(i)] : z;
  };

  const Mixture mixture = Mixture::from(golden);
  for (const bool from_file : {true, false}) {
    std::size_t call = 0;
    std::vector<Tensor> states, scaled;
    const Denoiser D = [&](const Tensor& z, double sigma) {
      const std::size_t i = heun ? (call + 1) / 2 : call;
      // The reference asks its network before the churn and takes what it says about the noise.
      const Tensor before = before_churn(z, i);
      states.push_back(before), scaled.push_back(before / std::sqrt(1 + sigmas[i] * sigmas[i]));
      ++call;
      if (from_file) return predicted(config.prediction_type, z, sigma, outputs[static_cast<std::int64_t>(call) - 1]);
      const Tensor denoised = mixture.denoised(before, sigmas[i]);
      return z - (sigma / sigmas[i]) * (before - denoised);
    };
    ReplayedNoise noise(draws);
    const Tensor last =
        made(make_sampler, "{type: " + sampler + ", final: " + (config.to_zero() ? "denoise}" : "none}"))(
            D, *schedule, {sigmas}, samples[0], noise);
    states.push_back(last);
    // a last step from σ_min to σ_min: nothing moves, but the reference calls its network
    if (!config.to_zero()) {
      states.push_back(last), scaled.push_back(last / std::sqrt(1 + sigmas.back() * sigmas.back()));
    }
    const std::string label = name + (from_file ? ", stored outputs" : ", mixture");
    golden.check_max_of(label, at::stack(states), samples, kSinglePrecision);
    // Late inputs are small, but carry the rounding of the first, large samples.
    golden.check_each_of(label + ", model inputs", at::stack(scaled), inputs, kSinglePrecision,
                         1e-6 * samples.abs().max().item<double>());
  }
}

const std::string kFlowEuler = "FlowMatchEulerDiscreteScheduler", kFlowHeun = "FlowMatchHeunDiscreteScheduler";
const BetaTable kEulerTable{}, kHeunTable{.beta_start = 0.00085, .beta_end = 0.012};

// diffusers' flow times t = "sigmas", from 1 down. With a fixed shift the reference shifts the ends
// before and the points after.
std::vector<double> flow_times(nlohmann::json& config, nlohmann::json& set, std::int64_t n) {
  double shift = 1.0, shift_terminal = 0.0, train = 1000, mu = 0.0;
  bool karras = false, dynamic = false;
  std::string time_shift = "exponential";
  std::vector<double> own;
  take(config, "shift", shift), take(config, "shift_terminal", shift_terminal);
  take(config, "use_karras_sigmas", karras), take(config, "num_train_timesteps", train);
  take(config, "use_dynamic_shifting", dynamic), take(config, "time_shift_type", time_shift);
  // What pipelines make mu of; the scheduler itself takes mu.
  for (const char* key : {"base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len"}) config.erase(key);
  take(set, "mu", mu), take(set, "sigmas", own);
  const auto schedule = schedule_of("{type: flow, t_min: 1e-9, t_max: 0.999999999}");
  std::string yaml = "{type: flow_shift, steps: " + std::to_string(n);
  if (dynamic)
    yaml += ", mu: " + number_text(mu) + ", time_shift: " + time_shift;
  else
    yaml += ", shift: " + number_text(shift);
  const double end = dynamic ? 1 / train : shift / train / (1 + (shift - 1) / train);
  yaml += ", last: " + number_text(end) + ", terminal: " + number_text(shift_terminal) + "}";
  std::vector<double> t;
  if (own.empty()) {
    t = made(make_grid, yaml, *schedule, Interval{0.0, 1e300}).t;
  } else {
    const double a = !dynamic ? shift : time_shift == "linear" ? mu : std::exp(mu);
    require(shift_terminal == 0, "golden: own sigmas stretched to a terminal one are not served");
    for (const double at : own) t.push_back(a * at / (1 + (a - 1) * at));
  }
  if (!karras) return t;
  const auto edm = schedule_of("{type: edm, sigma_min: 1e-6, sigma_max: 1e6}");
  return made(make_grid,
              "{type: karras, steps: " + std::to_string(n) + ", sigma_min: " + number_text(t.back()) +
                  ", sigma_max: " + number_text(t.front()) + "}",
              *edm, Interval{0.0, 1e300})
      .t;
}

void check_flow_case(Golden& golden, const std::string& name, const nlohmann::json& settings) {
  nlohmann::json config = settings.at("config"), set = settings.value("set", nlohmann::json::object());
  const auto n = settings.at("num_inference_steps").is_null() ? static_cast<std::int64_t>(set.at("sigmas").size())
                                                              : settings.at("num_inference_steps").get<std::int64_t>();
  if (settings.contains("mu")) set["mu"] = settings.at("mu");
  const std::string scheduler = settings.value("scheduler", kFlowEuler);
  require(scheduler == kFlowEuler || scheduler == kFlowHeun, "golden: case {} is of the unknown scheduler '{}'", name,
          scheduler);
  const bool heun = scheduler == kFlowHeun;
  bool stochastic = false;
  if (!heun) take(config, "stochastic_sampling", stochastic);
  const std::vector<double> t = flow_times(config, set, n);
  require_empty(config, set);
  // Heun's second evaluation of a step is where the next one begins.
  std::vector<double> timesteps, sigmas;
  for (std::size_t i = 0; i < t.size(); ++i)
    for (int copy = 0; copy < (heun && i > 0 ? 2 : 1); ++copy) sigmas.push_back(t[i]);
  for (const double at : sigmas) timesteps.push_back(1000 * at);
  sigmas.push_back(0.0);
  golden.check_each(name + ".timesteps", timesteps, 1e-6);
  golden.check_each(name + ".sigmas", sigmas, 1e-6);

  // t = 1 is no time of ours (s = 0): a time so near that D is the prior's mean to rounding.
  const auto schedule = schedule_of("{type: flow, t_min: 1e-9, t_max: 0.999999999}");
  TimeGrid grid;
  for (const double at : t) grid.t.push_back(std::min(at, schedule->times().high));
  const Tensor samples = golden.real(name + ".samples"), outputs = golden.real(name + ".model_outputs");
  const Tensor draws = stochastic ? golden.real(name + ".noise") : at::empty({0}, at::kDouble);
  std::int64_t call = 0;
  const Denoiser stored = [&](const Tensor& z, double sigma) {
    const double time = schedule->time(sigma);
    return schedule->scale(time) * z - time * outputs[call++];
  };
  for (const auto& [label, D] :
       {std::pair{"stored outputs", stored}, std::pair{"mixture", Mixture::from(golden).denoiser()}}) {
    const auto trace = std::make_shared<std::vector<Evaluation>>();
    ReplayedNoise noise(draws);
    const std::string sampler = stochastic ? "{type: ddim, renoise: true}" : heun ? "{type: heun}" : "{type: euler}";
    const Tensor last = made(make_sampler, sampler)(recorded(D, trace), *schedule, grid, samples[0], noise);
    std::vector<Tensor> states;
    for (std::size_t i = 0; i < trace->size(); ++i)
      states.push_back(schedule->scale(grid.t[heun ? (i + 1) / 2 : i]) * (*trace)[i].z);
    states.push_back(last);
    golden.check_max_of(name + ", " + label, at::stack(states), samples, kSinglePrecision);
    golden.check(name + ": draws", noise.used() == std::max<std::int64_t>(draws.size(0) - 1, 0));
  }
}

}  // namespace

TEST_CASE("euler is diffusers' Euler scheduler, with its churn, step by step", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler_euler_discrete"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items()) {
      const Config config(settings, kEulerTable);
      std::string sampler = "euler";
      if (config.s_churn > 0)
        sampler += ", S_churn: " + number_text(config.s_churn) + ", S_min: " + number_text(config.s_tmin) +
                   ", S_max: " + number_text(config.s_tmax) + ", S_noise: " + number_text(config.s_noise);
      check_case(golden, name, config, sampler);
    }
  });
}

TEST_CASE("heun is diffusers' Heun scheduler, evaluation by evaluation", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler_heun_discrete"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items())
      check_case(golden, name, Config(settings, kHeunTable), "heun");
  });
}

TEST_CASE("ddim with η = 1 is diffusers' Euler-ancestral scheduler, step by step", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler_euler_ancestral_discrete"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items())
      check_case(golden, name, Config(settings, kEulerTable), "ddim, eta: 1");
  });
}

TEST_CASE("euler and heun on flow are diffusers' flow-matching schedulers, step by step", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler_flow_match_", "scheduler2_flow_shift"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items()) check_flow_case(golden, name, settings);
  });
}

}  // namespace edmund::testing
