// A run as a model folder of huggingface/diffusers: the way back of diffusers.cpp. The weights are
// the same numbers; a scheduler is written that samples as the run does, or deterministically
// (DDIM) where its sampler has no counterpart there.
#include "diffusers_outward.h"

#include "diffusers_scheduler.h"
#include "edmund/checkpoints/outward.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "edmund/io/tensor_file.h"

#include <cmath>
#include <optional>
#include <utility>

namespace edmund {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kVersion = "0.42.1";

class Values {
 public:
  explicit Values(const std::map<std::string, std::string>& values) : values_(values) {}
  std::string text(const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? "" : found->second;
  }
  double real(const std::string& key) const {
    const auto value = parse_real(text(key));
    require(value.has_value(), "{}: expected a number, found {}", key, in_quotes(text(key)));
    return *value;
  }
  std::int64_t integer(const std::string& key) const { return std::llround(real(key)); }
  /// r of [-r, r]; nothing if the key is missing or empty.
  std::optional<double> range(const std::string& key) const {
    const auto list = nlohmann::json::parse(text(key), nullptr, /*allow_exceptions=*/false);
    if (!list.is_array() || list.size() != 2 || !list[0].is_number() || !list[1].is_number()) return std::nullopt;
    require(list[0].get<double>() == -list[1].get<double>(), "{}: diffusers cuts to [-r, r] only", key);
    return list[1].get<double>();
  }

 private:
  const std::map<std::string, std::string>& values_;
};

ordered_json header(std::string_view name) { return {{"_class_name", name}, {"_diffusers_version", kVersion}}; }

ordered_json table_scheduler(const Values& v, std::string_view prediction) {
  const std::string table = "preconditioning.noise_input.schedule.", sampler = v.text("sampling.sampler.type");
  require(v.text(table + "type") == "ddpm",
          "preconditioning.noise_input: its levels are no table of betas, which "
          "diffusers' schedulers have");
  const bool ancestral = sampler == "ancestral";
  ordered_json out = header(ancestral ? "DDPMScheduler" : "DDIMScheduler");
  const std::string betas = v.text(table + "betas");
  out["num_train_timesteps"] = v.integer(table + "N");
  out["beta_schedule"] = betas == "cosine" ? "squaredcos_cap_v2" : betas;
  if (betas != "cosine") {
    out["beta_start"] = v.real(table + "beta_start");
    out["beta_end"] = v.real(table + "beta_end");
  }
  out["prediction_type"] = prediction;
  out["rescale_betas_zero_snr"] = v.text(table + "zero_terminal_snr") == "true";
  std::string spacing = v.text("sampling.grid.type") == "native" ? v.text("sampling.grid.spacing") : "leading";
  out["timestep_spacing"] = spacing == "linspace" || spacing == "trailing" ? spacing : "leading";
  const std::string offset = v.text("sampling.grid.offset");
  out["steps_offset"] = offset.empty() ? 0 : v.integer("sampling.grid.offset");
  auto clip = v.range("sampling.clip");
  if (!clip) clip = v.range("sampling.sampler.clip");
  out["clip_sample"] = clip.has_value();
  out["clip_sample_range"] = clip.value_or(1);
  if (!ancestral) out["set_alpha_to_one"] = true;
  if (ancestral) out["variance_type"] = v.text("sampling.sampler.variance") == "beta" ? "fixed_large" : "fixed_small";
  return out;
}

ordered_json edm_scheduler(const Values& v) {
  ordered_json out = header("EDMEulerScheduler");
  const bool karras = v.text("sampling.grid.type") == "karras";
  const auto chosen = [&](const std::string& key, double usual) {
    return karras && !v.text(key).empty() ? v.real(key) : usual;
  };
  out["sigma_data"] = v.real("preconditioning.sigma_data");
  out["sigma_min"] = chosen("sampling.grid.sigma_min", 0.002);
  out["sigma_max"] = chosen("sampling.grid.sigma_max", 80);
  out["rho"] = chosen("sampling.grid.rho", 7);
  out["sigma_schedule"] = "karras";
  out["prediction_type"] = "epsilon";
  return out;
}

ordered_json score_scheduler(const Values& v) {
  ordered_json out = header("ScoreSdeVeScheduler");
  const std::string noise = "preconditioning.noise_input.", sampler = "sampling.sampler.";
  out["sigma_min"] = v.real(noise + "sigma_min") / 2;  // images in [0, 1] there
  out["sigma_max"] = v.real(noise + "sigma_max") / 2;
  out["num_train_timesteps"] = v.integer("sampling.grid.steps");
  const bool langevin = v.text(sampler + "corrector") == "langevin";
  out["correct_steps"] = langevin ? v.integer(sampler + "corrector_steps") : 0;
  out["snr"] = langevin ? v.real(sampler + "snr") : 0.15;
  out["sampling_eps"] = 1e-5;
  return out;
}

ordered_json flow_scheduler(const Values& v) {
  const double steps = v.real("preconditioning.noise_input.scale");
  require(v.text("preconditioning.towards") == "noise" && v.text("preconditioning.noise_input.reversed") == "false",
          "preconditioning: diffusers' straight paths run towards the noise, in what is learned and in time");
  require(steps == std::round(steps) && steps >= 2,
          "preconditioning.noise_input.scale: {} is no number of steps, as diffusers counts time (1000)", steps);
  const std::string sampler = v.text("sampling.sampler.type");
  const bool shifted = v.text("sampling.grid.type") == "flow_shift" && !v.text("sampling.grid.shift").empty();
  ordered_json out = header(sampler == "heun" ? "FlowMatchHeunDiscreteScheduler" : "FlowMatchEulerDiscreteScheduler");
  out["num_train_timesteps"] = std::llround(steps);
  out["shift"] = shifted ? v.real("sampling.grid.shift") : 1.0;
  if (sampler == "heun") return out;
  out["stochastic_sampling"] = sampler == "ddim" && v.text("sampling.sampler.renoise") == "true";
  const std::string terminal = v.text("sampling.grid.terminal");
  if (shifted && !terminal.empty() && v.real("sampling.grid.terminal") > 0)
    out["shift_terminal"] = v.real("sampling.grid.terminal");
  return out;
}

}  // namespace

ordered_json diffusers_scheduler(const std::map<std::string, std::string>& values) {
  const Values v(values);
  const std::string type = v.text("preconditioning.type"), noise = v.text("preconditioning.noise_input.type");
  constexpr std::pair<std::string_view, std::string_view> kPredictions[] = {
      {"eps", "epsilon"}, {"v", "v_prediction"}, {"x0", "sample"}};
  for (const auto& [ours, theirs] : kPredictions)
    if (type == ours && noise == "index") return table_scheduler(v, theirs);
  if (type == "edm" && noise == "log") return edm_scheduler(v);
  if (type == "flow" && noise == "flow") return flow_scheduler(v);
  if (type == "score" && noise == "ve") return score_scheduler(v);
  fail("preconditioning: type {} with noise_input {} has no scheduler in diffusers", type, noise);
}

namespace {

struct Written {
  std::string folder, class_name, pipeline;
  ordered_json config;
  TensorRules rules;
  ordered_json scheduler;
};

bool is_known(const Network& network) {
  return dynamic_cast<const BlockUNet*>(&network) != nullptr || dynamic_cast<const DiT*>(&network) != nullptr;
}

Written written(const SavedModel& model) {
  require(is_known(model.network),
          "network: type {} has no counterpart in diffusers; block_unet and dit have (configs/digits-diffusers.yaml)",
          in_quotes(Values(model.values).text("network.type")));
  const ordered_json scheduler = diffusers_scheduler(model.values);
  if (const auto* blocks = dynamic_cast<const BlockUNet*>(&model.network)) {
    // as it will be read back
    const DiffusersConvention convention = diffusers_convention({scheduler, "scheduler_config.json"});
    const UNet2D unet = unet2d_of(blocks->config(), convention.scale, convention.shift);
    return {.folder = "unet",
            .class_name = "UNet2DModel",
            .pipeline = scheduler.at("_class_name") == "DDIMScheduler" ? "DDIMPipeline" : "DDPMPipeline",
            .config = unet.json(),
            .rules = unet.rules(),
            .scheduler = scheduler};
  }
  const DiT2D there = dit2d_of(dynamic_cast<const DiT&>(model.network).config());
  return {.folder = "transformer",
          .class_name = "DiTTransformer2DModel",
          .pipeline = "DiTPipeline",
          .config = there.json(),
          .rules = there.rules(),
          .scheduler = scheduler};
}

}  // namespace

std::map<std::string, std::string> diffusers_files(const SavedModel& model) {
  const Written there = written(model);
  const auto tensors = tensors_there(there.rules, model.weights);
  ordered_json index = header(there.pipeline);
  index["scheduler"] = {"diffusers", there.scheduler.at("_class_name")};
  index[there.folder] = {"diffusers", there.class_name};
  return {{"model_index.json", index.dump(2) + "\n"},
          {"scheduler/scheduler_config.json", there.scheduler.dump(2) + "\n"},
          {there.folder + "/config.json", there.config.dump(2) + "\n"},
          {there.folder + "/diffusion_pytorch_model.safetensors",
           tensor_bytes({tensors.begin(), tensors.end()}, {{"format", "pt"}})}};
}

std::vector<LowRank> diffusers_layers(const SavedModel& model, const std::vector<LowRank>& changes) {
  return layers_there(written(model).rules, changes);
}

}  // namespace edmund
