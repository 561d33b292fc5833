// Diffusers' DDIM and DDPM schedulers, step by step: from each stored sample to the next.
#include "edmund/core/error.h"
#include "edmund/samplers/posterior.h"
#include "edmund/samplers/sampler.h"
#include "samplers/noise.h"
#include "samplers/scheduler.h"
#include "support/catch.h"
#include "support/device.h"
#include "support/golden.h"
#include "support/mixture.h"

#include <ATen/ops/empty.h>
#include <cmath>
#include <set>

namespace edmund::testing {
namespace {

// A scheduler's configuration under the reference's names and defaults.
struct Config {
  BetaTable table;
  std::string prediction_type = "epsilon", variance_type = "fixed_small", timestep_spacing = "leading";
  std::int64_t steps_offset = 0, num_inference_steps = 0;
  double clip_sample_range = 1.0, eta = 0.0;
  bool clip_sample = true, set_alpha_to_one = true, use_clipped_model_output = false, thresholding = false;
  double dynamic_thresholding_ratio = 0.995, sample_max_value = 1.0;

  explicit Config(const nlohmann::json& settings) {
    num_inference_steps = settings.at("num_inference_steps").get<std::int64_t>();
    nlohmann::json config = config_of(settings), step = settings.value("step", nlohmann::json::object());
    table.take_from(config);
    take(config, "prediction_type", prediction_type), take(config, "variance_type", variance_type);
    take(config, "timestep_spacing", timestep_spacing), take(config, "steps_offset", steps_offset);
    take(config, "clip_sample", clip_sample);
    take(config, "clip_sample_range", clip_sample_range), take(config, "set_alpha_to_one", set_alpha_to_one);
    take(config, "thresholding", thresholding), take(config, "sample_max_value", sample_max_value);
    take(config, "dynamic_thresholding_ratio", dynamic_thresholding_ratio);
    take(step, "eta", eta), take(step, "use_clipped_model_output", use_clipped_model_output);
    require_empty(config, step);
    if (thresholding) clip_sample = false;  // the reference asks for it first
  }
  std::string threshold() const {
    return "threshold: " + number_text(dynamic_thresholding_ratio) +
           ", threshold_max: " + number_text(sample_max_value);
  }
};

// The sampler that the scheduler is, with the given last step.
Sampler sampler_of(const Config& config, bool ddim, const char* last) {
  const std::string range =
      "[-" + number_text(config.clip_sample_range) + ", " + number_text(config.clip_sample_range) + "]";
  std::string yaml = std::string("{final: ") + last;
  if (ddim) {
    yaml += ", type: ddim, eta: " + number_text(config.eta);
    if (config.clip_sample && !config.use_clipped_model_output) yaml += ", clip: " + range;
    if (config.thresholding && !config.use_clipped_model_output) yaml += ", " + config.threshold();
  } else {
    const bool posterior = config.variance_type == "fixed_small" || config.variance_type == "fixed_small_log";
    require(posterior || config.variance_type == "fixed_large", "golden: unknown variance type '{}'",
            config.variance_type);
    yaml += std::string(", type: ancestral, variance: ") + (posterior ? "posterior" : "beta");
  }
  return made(make_sampler, yaml + "}");
}

// The scheduler's step from sample i, entry `from` to entry `to` of the table (counted from 1; 0:
// clean image).
Tensor stepped(const Config& config, bool ddim, const NoiseSchedule& schedule, Denoiser D, const Tensor& x, double from,
               double to, const Tensor& draw) {
  ReplayedNoise noise(draw.unsqueeze(0));
  const double r = config.clip_sample_range;
  if (!ddim || config.use_clipped_model_output) {
    if (config.clip_sample) D = clipped(std::move(D), {-r, r});
    if (config.thresholding) D = thresholded(std::move(D), config.dynamic_thresholding_ratio, config.sample_max_value);
  }
  if (to > 0) return sampler_of(config, ddim, "none")(D, schedule, {{from, to}}, x, noise);
  const Tensor clean = sampler_of(config, ddim, "denoise")(D, schedule, {{from}}, x, noise);
  // The reference omits the noise of the last step only where that step starts at the first entry.
  if (ddim || from == 1 || config.variance_type != "fixed_large") return clean;
  return clean + transition_std(schedule, from, 0.0) * draw;
}

void check_case(Golden& golden, const std::string& name, const nlohmann::json& settings, bool ddim) {
  const Config config(settings);
  const auto schedule = config.table.schedule();
  const auto timesteps = golden.reals(name + ".timesteps");
  config.table.check(golden, name);

  const TimeGrid grid = native(*schedule, config.num_inference_steps, config.timestep_spacing, config.steps_offset);
  std::vector<double> ours;
  for (const double t : grid.t) ours.push_back(t - 1);  // the reference counts from 0
  golden.check_each(name + ".timesteps", ours, 0.0);

  const Tensor samples = golden.real(name + ".samples"), outputs = golden.real(name + ".model_outputs");
  const Tensor draws = golden.has(name + ".noise") ? golden.real(name + ".noise") : at::empty({0}, at::kDouble);
  const Mixture mixture = Mixture::from(golden);
  const Prediction prediction(config.prediction_type);
  std::int64_t draw = 0;
  for (std::int64_t i = 0; i < std::ssize(timesteps); ++i) {
    const double from = timesteps[static_cast<std::size_t>(i)] + 1;
    // DDIM steps down by N / steps, DDPM to the next entry of its grid.
    double to = ddim ? from - static_cast<double>(config.table.num_train_timesteps / config.num_inference_steps)
                     : (i + 1 < std::ssize(timesteps) ? timesteps[static_cast<std::size_t>(i) + 1] + 1 : 0.0);
    if (to <= 0) to = ddim && !config.set_alpha_to_one ? 1.0 : 0.0;
    const bool drawn = ddim ? config.eta > 0 : from > 1;
    const Tensor n = drawn ? draws[draw++] : at::zeros_like(samples[i]);
    const Tensor x = samples[i];
    const Denoiser stored = [&](const Tensor& z, double sigma) { return prediction.denoised(z, sigma, outputs[i]); };
    const std::string label = name + " step " + std::to_string(i);
    golden.check_max_of(label + ", stored output", stepped(config, ddim, *schedule, stored, x, from, to, n),
                        samples[i + 1], 1e-4);
    golden.check_max_of(label + ", mixture", stepped(config, ddim, *schedule, mixture.denoiser(), x, from, to, n),
                        samples[i + 1], 1e-4);
  }
  golden.check(name + ": every draw belongs to a step", draw == draws.size(0));
}

}  // namespace

void check_ddim(Golden& golden, const std::string& name, const nlohmann::json& settings) {
  check_case(golden, name, settings, true);
}
void check_ddpm(Golden& golden, const std::string& name, const nlohmann::json& settings) {
  check_case(golden, name, settings, false);
}

TEST_CASE("ddim is diffusers' DDIM scheduler, step by step", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler_ddim"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items()) check_ddim(golden, name, settings);
  });
}

TEST_CASE("ancestral is diffusers' DDPM scheduler, step by step", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"scheduler_ddpm_ancestral"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items()) check_ddpm(golden, name, settings);
  });
}

}  // namespace edmund::testing
