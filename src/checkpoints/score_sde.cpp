// score_sde — checkpoints of yang-song/score_sde_pytorch (.pth): {optimizer, model, ema, step} of
// an NCSN++ or DDPM++ (their models/ncsnpp.py with BigGAN blocks).
//
// Their modules stand in one list, all_modules.N, in the order of evaluation; ours are those of
// `unet`, which is the same network (Karras et al. 2022, table 1). The three projections of their
// attention, stored [in, out], become one convolution whose channels are [channel][q, k, v]. The
// average is a list without names, of the parameters that have gradients, in their order.
//
// The file tells no size of images (image.height, image.width must be said), no filter where the
// input is not handed down by convolutions, and no SDE. As published, Fourier features mean the VE
// SDE on images in [0, 1] (σ doubles for ours) and the [1,3,3,1] filter, sinusoids the VP SDE and
// [1,1]; what the config says of either stands to be changed. Sampled as theirs: `score-sde-vp`,
// `score-sde-ve`.
#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
#include "edmund/core/options.h"
#include "edmund/core/text.h"
#include "module_tree.h"
#include "score_sde_network.h"

#include <algorithm>
#include <ATen/TensorOperators.h>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace edmund {
namespace {

using nlohmann::ordered_json;
using Kind = PickleValue::Kind;

const PickleValue* model_of(const ForeignFile& file) {
  const PickleValue* model = file.pickle ? file.pickle->root().find("model") : nullptr;
  for (const char* mark :
       {"module.all_modules.0.weight", "module.all_modules.0.W", "all_modules.0.weight", "all_modules.0.W"})
    if (is_state(model, mark)) return model;
  return nullptr;
}

// Without the prefix of DataParallel.
NamedTensors state_of(const ForeignFile& file) {
  constexpr std::string_view kWrapper = "module.";
  NamedTensors out = state_tensors(*file.pickle, *model_of(file), file.path.string());
  for (auto& [name, tensor] : out)
    if (name.starts_with(kWrapper)) name = name.substr(kWrapper.size());
  return out;
}

// The state with the averages in place of what has gradients: all but the table of σ and the
// Fourier features.
NamedTensors averaged(const ForeignFile& source, const NamedTensors& state) {
  const std::string file = source.path.string();
  const PickleValue* ema = source.pickle->root().find("ema");
  const PickleValue* shadow = ema ? ema->find("shadow_params") : nullptr;
  require(shadow && shadow->kind == Kind::kList, "{}: no averaged weights (ema.shadow_params)", file);
  NamedTensors out = state;
  std::size_t next = 0;
  for (auto& [name, tensor] : out) {
    if (name == "sigmas" || name.ends_with("all_modules.0.W")) continue;
    require(next < shadow->items.size(), "{}: {} averaged tensors, fewer than parameters", file, shadow->items.size());
    const Tensor mean = source.pickle->tensor(*shadow->items[next++], name);
    require(mean.sizes() == tensor.sizes() && mean.is_floating_point(), "{}: the average of {} has another shape", file,
            in_quotes(name));
    tensor = mean.to(at::kFloat);
  }
  require(next == shadow->items.size(), "{}: {} averaged tensors for {} parameters", file, shadow->items.size(), next);
  return out;
}

std::int64_t resolution_of(const ForeignFile& file) {
  const auto said = file.said.find("image.height");
  const auto number = said == file.said.end() ? std::nullopt : parse_integer(said->second);
  return number && *number > 0 && *number <= (1 << 16) ? *number : 0;
}

// What the config is to say of the SDE: its wrapper and its sampling.
void add_convention(ordered_json& config, const ScoreSdeNetwork& found, const NamedTensors& state) {
  if (!found.fourier) {
    config["preconditioning"] = {{"type", "eps"}, {"noise_input", {{"type", "vp"}}}};
    config["sampling"] = {{"preset", "score-sde-vp"}};
    return;
  }
  const auto table = std::ranges::find(state, "sigmas", &NamedTensors::value_type::first);
  ordered_json sigmas = ordered_json::object();
  if (table != state.end() && table->second.numel() > 1 && table->second.min().item<double>() > 0) {
    // theirs are for images in [0, 1]
    sigmas["sigma_min"] = 2 * table->second.to(at::kDouble).min().item<double>();
    sigmas["sigma_max"] = 2 * table->second.to(at::kDouble).max().item<double>();
  }
  ordered_json input = {{"type", "ve"}}, schedule = {{"type", "ve"}};
  input.update(sigmas);
  schedule.update(sigmas);
  config["preconditioning"] = {{"type", "score"}, {"noise_input", input}};
  config["sampling"] = {{"preset", "score-sde-ve"}, {"schedule", schedule}};
}

// Taps that the user says, or those that are published with such an embedding.
std::vector<double> filter_of(const ForeignFile& file, bool fourier) {
  const auto said = file.said.find("network.resample_filter");
  if (said == file.said.end()) return fourier ? std::vector<double>{1, 3, 3, 1} : std::vector<double>{1, 1};
  Options options = Options::read_text("{taps: " + said->second + "}", "network.resample_filter");
  const auto taps = options.reals("taps", {1, 1}, {}, "of the filter");
  options.finish();
  return taps;
}

}  // namespace

bool is_score_sde(const ForeignFile& file) { return model_of(file) != nullptr; }

ForeignModel read_score_sde(const ForeignFile& source) {
  const std::string file = source.path.string();
  const NamedTensors state = state_of(source);
  const bool fourier = std::ranges::any_of(state, [](const auto& item) { return item.first == "all_modules.0.W"; });
  const std::int64_t resolution = resolution_of(source);
  const std::vector<double> filter = filter_of(source, fourier);
  ScoreSdeNetwork raw = read_score_sde_network(state, resolution, filter, file),
                  mean = read_score_sde_network(averaged(source, state), resolution, filter, file);
  ordered_json config = {{"name", as_utf8(source.path.stem().string())}};
  config["image"] = {{"channels", mean.channels}};
  mean.config["resample_filter"] = filter;
  config["network"] = mean.config;
  // a config states how long its run is; this one is at its end, whose images are not told
  config["training"] = {{"images", 1}};
  add_convention(config, mean, state);
  ForeignModel out{.config = config.dump(),
                   .weights = std::move(mean.weights),
                   .about = format("{} of the {} SDE, as its embedding tells, averaged weights (ema)",
                                   fourier ? "NCSN++" : "DDPM++", fourier ? "VE" : "VP"),
                   .raw = std::move(raw.weights)};
  for (const char* key : {"image.height", "image.width"})
    out.unsaid.push_back({key, "pixels, which convolutions do not tell"});
  return out;
}

}  // namespace edmund
