// Diffusers' flow-matching schedulers, Euler and Heun: whole trajectories.
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
#include <cmath>

namespace edmund::testing {
namespace {

constexpr double kSinglePrecision = 2e-5;  // of max|reference| of a trajectory
const std::string kFlowEuler = "FlowMatchEulerDiscreteScheduler", kFlowHeun = "FlowMatchHeunDiscreteScheduler";

// diffusers' flow times t = "sigmas", from 1 down. With a fixed shift the reference shifts the ends
// before and the points after.
std::vector<double> flow_times(nlohmann::json& config, nlohmann::json& set, std::int64_t n) {
  double shift = 1.0, shift_terminal = 0.0, train = 1000, mu = 0.0;
  SigmaSpacing spacing;
  bool dynamic = false;
  std::string time_shift = "exponential";
  std::vector<double> own;
  take(config, "shift", shift), take(config, "shift_terminal", shift_terminal);
  spacing.take_from(config), take(config, "num_train_timesteps", train);
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
  return spacing.any() ? spacing.between(t.front(), t.back(), n) : t;
}

}  // namespace

void check_flow_match(Golden& golden, const std::string& name, const nlohmann::json& settings) {
  nlohmann::json config = config_of(settings), set = settings.value("set", nlohmann::json::object());
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

TEST_CASE("euler and heun on flow are diffusers' flow-matching schedulers, step by step", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler_flow_match_"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items()) check_flow_match(golden, name, settings);
  });
}

}  // namespace edmund::testing
