// Diffusers' multistep DPM-Solver and UniPC schedulers: whole trajectories.
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
#include <functional>

namespace edmund::testing {
namespace {

// Grid times, and the timesteps that belong to them, before they are made whole.
struct Times {
  TimeGrid grid;
  std::vector<double> timesteps;
};

// A scheduler under the reference's names and defaults.
struct Config {
  BetaTable table;
  std::string prediction_type = "epsilon", timestep_spacing = "linspace", final_sigmas_type = "zero";
  std::int64_t steps_offset = 0, num_inference_steps = 0;
  bool use_flow_sigmas = false, thresholding = false;
  bool flow_from_one = false;  // flow sigmas begin at 1, cut by 1e-6, in place of 1 - 1/N
  double flow_shift = 1.0, dynamic_thresholding_ratio = 0.995, sample_max_value = 1.0;
  SigmaSpacing spacing;
  std::string sampler;  // YAML, without the closing brace

  void take_grid(nlohmann::json& config) {
    table.take_from(config), table.terminal_alpha_bar = kSigmaTableAlphaBar, spacing.take_from(config);
    take(config, "prediction_type", prediction_type), take(config, "timestep_spacing", timestep_spacing);
    take(config, "final_sigmas_type", final_sigmas_type), take(config, "steps_offset", steps_offset);
    take(config, "use_flow_sigmas", use_flow_sigmas), take(config, "flow_shift", flow_shift);
    take(config, "thresholding", thresholding), take(config, "sample_max_value", sample_max_value);
    take(config, "dynamic_thresholding_ratio", dynamic_thresholding_ratio);
    require(final_sigmas_type == "zero" || final_sigmas_type == "sigma_min", "golden: unknown final_sigmas_type '{}'",
            final_sigmas_type);
    require(!use_flow_sigmas || (to_zero() && !spacing.any()), "golden: flow sigmas that are spaced or end above 0");
    require(use_flow_sigmas == (prediction_type == "flow_prediction"),
            "golden: flow sigmas go with flow_prediction here");
  }
  bool to_zero() const { return final_sigmas_type == "zero"; }

  std::unique_ptr<NoiseSchedule> schedule() const {
    return use_flow_sigmas ? schedule_of("{type: flow, t_min: 1e-9, t_max: 0.999999999}") : table.schedule();
  }
  Times times(const NoiseSchedule& schedule) const {
    const std::int64_t n = num_inference_steps;
    Times out;
    if (use_flow_sigmas) {
      // Of n + 1 even points, shifted, the last is left out.
      const auto N = static_cast<double>(table.num_train_timesteps), steps = static_cast<double>(n);
      const double first = flow_from_one ? 1.0 : 1 - 1 / N, end = flow_from_one ? 1 / N : 0.0;
      out.grid =
          made(make_grid,
               "{type: flow_shift, steps: " + std::to_string(n) + ", shift: " + number_text(flow_shift) +
                   ", first: " + number_text(first) + ", last: " + number_text(std::lerp(end, first, 1 / steps)) + "}",
               schedule, Interval{0.0, 1e300});
      if (flow_from_one) out.grid.t.front() = std::min(out.grid.t.front(), 1 - 1e-6);
      for (const double t : out.grid.t) out.timesteps.push_back(t * N);
      return out;
    }
    if (spacing.any()) {
      require(to_zero(), "golden: a grid down to sigma_min that ends there already");
      for (const double sigma : spacing.between(table.levels().back(), table.levels().front(), n)) {
        out.grid.t.push_back(schedule.time(std::clamp(sigma, schedule.sigmas().low, schedule.sigmas().high)));
        out.timesteps.push_back(timestep_of(table.levels(), sigma));
      }
      return out;
    }
    // All but `trailing` choose one point more than steps and leave the last one out.
    out.grid = native(schedule, timestep_spacing == "trailing" ? n : n + 1, timestep_spacing, steps_offset);
    if (timestep_spacing != "trailing") out.grid.t.pop_back();
    for (const double entry : out.grid.t) out.timesteps.push_back(entry - 1);
    if (!to_zero()) out.grid.t.push_back(1.0);
    // zero terminal SNR ends at a lower σ there
    for (double& t : out.grid.t) t = std::min(t, schedule.time(table.levels().back()));
    return out;
  }
};

// What of a DPM-Solver is beside its grid.
std::string dpm_solver_yaml(nlohmann::json& config, std::int64_t steps) {
  std::string algorithm = "dpmsolver++", type = "midpoint";
  std::int64_t order = 2;
  bool lower_order_final = true, euler_at_final = false;
  take(config, "algorithm_type", algorithm), take(config, "solver_type", type), take(config, "solver_order", order);
  take(config, "lower_order_final", lower_order_final), take(config, "euler_at_final", euler_at_final);
  const bool sde = algorithm.starts_with("sde-"), few = lower_order_final && steps < 15;
  return std::string("{type: dpm_solver_multistep, algorithm: ") + (algorithm.ends_with("++") ? "plusplus" : "plain") +
         ", variant: " + type + ", order: " + std::to_string(order) + ", eta: " + (sde ? "1" : "0") +
         ", lower_order_final: " + (few || !euler_at_final ? (lower_order_final ? "diffusers" : "never") : "last");
}

// Whole trajectories of samples there, x here.
void check_trajectories(Golden& golden, const std::string& name, const std::string& sampler, bool to_zero,
                        const NoiseSchedule& schedule, const TimeGrid& grid, const Prediction& prediction,
                        const std::function<Denoiser(Denoiser)>& wrapped = nullptr) {
  const Tensor samples = golden.real(name + ".samples"), outputs = golden.real(name + ".model_outputs");
  const Tensor draws = golden.has(name + ".noise") ? golden.real(name + ".noise") : at::empty({0}, at::kDouble);
  std::int64_t call = 0;
  const Denoiser stored = [&](const Tensor& z, double sigma) { return prediction.denoised(z, sigma, outputs[call++]); };
  for (const auto& [label, D] :
       {std::pair{"stored outputs", stored}, std::pair{"mixture", Mixture::from(golden).denoiser()}}) {
    const auto trace = std::make_shared<std::vector<Evaluation>>();
    ReplayedNoise noise(draws);
    const Sampler made_sampler = made(make_sampler, sampler + ", final: " + (to_zero ? "denoise}" : "none}"));
    const Denoiser used = wrapped ? wrapped(D) : D;
    const Tensor last = made_sampler(recorded(used, trace), schedule, grid, samples[0], noise);
    std::vector<Tensor> states, scaled;
    for (std::size_t i = 0; i < trace->size(); ++i) {
      states.push_back(schedule.scale(grid.t[i]) * (*trace)[i].z);
      scaled.push_back(prediction.in((*trace)[i].sigma) * (*trace)[i].z);
    }
    states.push_back(last);
    golden.check_max_of(name + ", " + label, at::stack(states), samples, 1e-4);
    if (golden.has(name + ".model_inputs"))
      golden.check_max_of(name + ", " + label + ", model inputs", at::stack(scaled),
                          golden.real(name + ".model_inputs"), 1e-4);
    // The reference draws for the step to σ = 0 too, and multiplies by 0.
    golden.check(name + ": draws", noise.used() == std::max<std::int64_t>(draws.size(0) - (to_zero ? 1 : 0), 0));
  }
}

void check_case(Golden& golden, const std::string& name, const Config& config) {
  const auto schedule = config.schedule();
  const auto [grid, expected] = config.times(*schedule);
  config.table.check(golden, name);

  std::vector<double> sigmas;
  for (const double t : grid.t) sigmas.push_back(schedule->sigma(t));
  std::vector<double> named = config.use_flow_sigmas ? grid.t : sigmas;
  if (config.to_zero()) named.push_back(0.0);
  check_sigmas(golden, name, named, config.spacing.tolerance());
  // Timesteps count from 0 and are whole, also where σ lies between two entries: there they are
  // rounded, or with some spacings cut.
  const auto timesteps = golden.reals(name + ".timesteps");
  golden.check(name + ": one timestep a step", std::ssize(timesteps) == config.num_inference_steps);
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const double rest = expected.at(i) - timesteps[i];
    const bool is_cut = config.use_flow_sigmas || config.spacing.exponential || config.spacing.beta;
    golden.check(name + " timestep " + std::to_string(i),
                 is_cut ? rest > -0.01 && rest < 1.01 : std::abs(rest) <= 0.51);
  }
  const auto wrapped = [&](Denoiser D) {
    return config.thresholding ? thresholded(std::move(D), config.dynamic_thresholding_ratio, config.sample_max_value)
                               : D;
  };
  check_trajectories(golden, name, config.sampler, config.to_zero(), *schedule, grid,
                     Prediction(config.prediction_type), wrapped);
}

}  // namespace

void check_dpm_solver(Golden& golden, const std::string& name, const nlohmann::json& settings) {
  Config out;
  out.num_inference_steps = settings.at("num_inference_steps").get<std::int64_t>();
  nlohmann::json config = config_of(settings);
  out.take_grid(config);
  out.sampler = dpm_solver_yaml(config, out.num_inference_steps);
  require_empty(config);
  check_case(golden, name, out);
}

void check_unipc(Golden& golden, const std::string& name, const nlohmann::json& settings) {
  Config out;
  out.flow_from_one = true;
  out.num_inference_steps = settings.at("num_inference_steps").get<std::int64_t>();
  nlohmann::json config = config_of(settings);
  out.take_grid(config);
  std::string type = "bh2";
  std::int64_t order = 2;
  bool lower_order_final = true, predict_x0 = true;
  take(config, "solver_type", type), take(config, "solver_order", order);
  take(config, "lower_order_final", lower_order_final), take(config, "predict_x0", predict_x0);
  require_empty(config);
  out.sampler = "{type: unipc, b: " + type + ", order: " + std::to_string(order) +
                ", predict: " + (predict_x0 ? "x0" : "eps") +
                ", lower_order_final: " + (lower_order_final ? "always" : "never");
  check_case(golden, name, out);
}

// deis on ln σ, as the reference's `logrho`.
void check_deis(Golden& golden, const std::string& name, const nlohmann::json& settings) {
  Config out;
  out.num_inference_steps = settings.at("num_inference_steps").get<std::int64_t>();
  nlohmann::json config = config_of(settings);
  if (!config.contains("final_sigmas_type")) config["final_sigmas_type"] = "sigma_min";
  out.take_grid(config);
  std::string algorithm = "deis", type = "logrho";
  std::int64_t order = 2;
  bool lower_order_final = true;
  take(config, "algorithm_type", algorithm), take(config, "solver_type", type), take(config, "solver_order", order);
  take(config, "lower_order_final", lower_order_final);
  require_empty(config);
  require(algorithm == "deis" && type == "logrho", "golden: unknown kind of DEIS: {}, {}", algorithm, type);
  out.sampler = "{type: deis, polynomial: log_sigma, degree: " + std::to_string(order - 1) +
                ", lower_order_final: " + (lower_order_final ? "diffusers" : "never");
  check_case(golden, name, out);
}

void check_edm_dpm_solver(Golden& golden, const std::string& name, const nlohmann::json& settings) {
  nlohmann::json config = config_of(settings);
  const auto n = settings.at("num_inference_steps").get<std::int64_t>();
  const EdmSigmas edm(config, n);
  const std::string sampler = dpm_solver_yaml(config, n);
  require_empty(config);
  edm.check(golden, name);
  TimeGrid grid{edm.sigmas};
  // The reference's last step is then from σ_min to σ_min: to a level so near that nothing moves.
  if (!edm.to_zero) grid.t.push_back(grid.t.back() * (1 - 1e-9));
  const auto schedule = schedule_of("{type: edm, sigma_min: " + number_text(grid.t.back()) +
                                    ", sigma_max: " + number_text(grid.t.front()) + "}");
  check_trajectories(golden, name, sampler, edm.to_zero, *schedule, grid, edm.prediction());
}

TEST_CASE("dpm_solver_multistep is diffusers' multistep DPM-Solver, step by step", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler_dpmsolver_multistep"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items()) check_dpm_solver(golden, name, settings);
  });
}

TEST_CASE("unipc is diffusers' UniPC, step by step", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler_unipc_multistep"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items()) check_unipc(golden, name, settings);
  });
}

}  // namespace edmund::testing
