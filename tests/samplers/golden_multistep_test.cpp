// Diffusers' multistep DPM-Solver and UniPC schedulers: whole trajectories.
#include "edmund/samplers/sampler.h"
#include "samplers/noise.h"
#include "samplers/scheduler.h"
#include "support/catch.h"
#include "support/device.h"
#include "support/golden.h"
#include "support/mixture.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>

namespace edmund::testing {
namespace {

// A scheduler's grid under the reference's names and defaults.
struct Config {
  BetaTable table;
  std::string prediction_type = "epsilon", timestep_spacing = "linspace", final_sigmas_type = "zero";
  std::int64_t steps_offset = 0, num_inference_steps = 0;
  bool use_karras_sigmas = false, use_lu_lambdas = false;
  std::string sampler;  // YAML, without the closing brace

  void take_grid(nlohmann::json& config) {
    table.take_from(config);
    take(config, "prediction_type", prediction_type), take(config, "timestep_spacing", timestep_spacing);
    take(config, "final_sigmas_type", final_sigmas_type), take(config, "steps_offset", steps_offset);
    take(config, "use_karras_sigmas", use_karras_sigmas), take(config, "use_lu_lambdas", use_lu_lambdas);
    require(final_sigmas_type == "zero" || final_sigmas_type == "sigma_min", "golden: unknown final_sigmas_type '{}'",
            final_sigmas_type);
  }
  bool to_zero() const { return final_sigmas_type == "zero"; }

  TimeGrid grid(const NoiseSchedule& schedule) const {
    const std::int64_t n = num_inference_steps;
    if (use_karras_sigmas || use_lu_lambdas) {
      require(to_zero(), "golden: a grid down to sigma_min that ends there already");
      return made(make_grid,
                  std::string("{type: ") + (use_karras_sigmas ? "karras" : "log_snr") +
                      ", steps: " + std::to_string(n) + ", sigma_min: " + number_text(schedule.sigmas().low) +
                      ", sigma_max: " + number_text(schedule.sigmas().high) + "}",
                  schedule, Interval{0.0, 1e300});
    }
    // All but `trailing` choose one point more than steps and leave the last one out.
    TimeGrid grid = native(schedule, timestep_spacing == "trailing" ? n : n + 1, timestep_spacing, steps_offset);
    if (timestep_spacing != "trailing") grid.t.pop_back();
    if (!to_zero()) grid.t.push_back(1.0);
    return grid;
  }
};

Config dpm_solver(const nlohmann::json& settings) {
  Config out;
  out.num_inference_steps = settings.at("num_inference_steps").get<std::int64_t>();
  nlohmann::json config = settings.at("config");
  out.take_grid(config);
  std::string algorithm = "dpmsolver++", type = "midpoint";
  std::int64_t order = 2;
  bool lower_order_final = true, euler_at_final = false;
  take(config, "algorithm_type", algorithm), take(config, "solver_type", type), take(config, "solver_order", order);
  take(config, "lower_order_final", lower_order_final), take(config, "euler_at_final", euler_at_final);
  require_empty(config);
  const bool sde = algorithm.starts_with("sde-"), few = lower_order_final && out.num_inference_steps < 15;
  out.sampler =
      std::string("{type: dpm_solver_multistep, algorithm: ") + (algorithm.ends_with("++") ? "plusplus" : "plain") +
      ", variant: " + type + ", order: " + std::to_string(order) + ", eta: " + (sde ? "1" : "0") +
      ", lower_order_final: " + (few || !euler_at_final ? (lower_order_final ? "diffusers" : "never") : "last");
  return out;
}

Config unipc(const nlohmann::json& settings) {
  Config out;
  out.num_inference_steps = settings.at("num_inference_steps").get<std::int64_t>();
  nlohmann::json config = settings.at("config");
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
  return out;
}

void check_case(Golden& golden, const std::string& name, const Config& config) {
  const auto schedule = config.table.schedule();
  const TimeGrid grid = config.grid(*schedule);
  config.table.check(golden, name);

  // σ from ᾱ in single precision: 1 - ᾱ has lost up to 4 digits at the clean end.
  std::vector<double> sigmas;
  for (const double t : grid.t) sigmas.push_back(schedule->sigma(t));
  if (config.to_zero()) sigmas.push_back(0.0);
  golden.check_each(name + ".sigmas", sigmas, 3e-4);
  // Timesteps count from 0 and are whole, also where σ lies between two entries.
  const auto timesteps = golden.reals(name + ".timesteps");
  golden.check(name + ": one timestep a step", std::ssize(timesteps) == config.num_inference_steps);
  for (std::size_t i = 0; i < timesteps.size(); ++i)
    golden.check(name + " timestep " + std::to_string(i),
                 std::abs(schedule->time(sigmas[i]) - 1 - timesteps[i]) <= 0.501);

  const Tensor samples = golden.real(name + ".samples"), outputs = golden.real(name + ".model_outputs");
  const Tensor draws = golden.has(name + ".noise") ? golden.real(name + ".noise") : at::empty({0}, at::kDouble);
  std::int64_t call = 0;
  const Denoiser stored = [&](const Tensor& z, double sigma) {
    return predicted(config.prediction_type, z, sigma, outputs[call++]);
  };
  for (const auto& [label, D] :
       {std::pair{"stored outputs", stored}, std::pair{"mixture", Mixture::from(golden).denoiser()}}) {
    const auto trace = std::make_shared<std::vector<Evaluation>>();
    ReplayedNoise noise(draws);
    const Sampler sampler =
        made(make_sampler, config.sampler + ", final: " + (config.to_zero() ? "denoise}" : "none}"));
    const Tensor last = sampler(recorded(D, trace), *schedule, grid, samples[0], noise);
    std::vector<Tensor> states;
    for (std::size_t i = 0; i < trace->size(); ++i) states.push_back(schedule->scale(grid.t[i]) * (*trace)[i].z);
    states.push_back(last);
    golden.check_max_of(name + ", " + label, at::stack(states), samples, 1e-4);
    // The reference draws for the step to σ = 0 too, and multiplies by 0.
    golden.check(name + ": draws",
                 noise.used() == std::max<std::int64_t>(draws.size(0) - (config.to_zero() ? 1 : 0), 0));
  }
}

}  // namespace

TEST_CASE("dpm_solver_multistep is diffusers' multistep DPM-Solver, step by step", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler_dpmsolver_multistep"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items()) check_case(golden, name, dpm_solver(settings));
  });
}

TEST_CASE("unipc is diffusers' UniPC, step by step", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler_unipc_multistep"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items()) check_case(golden, name, unipc(settings));
  });
}

}  // namespace edmund::testing
