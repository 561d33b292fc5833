// edm — network snapshots of NVlabs/edm: a pickle {ema, loss_fn, augment_pipe, dataset_kwargs}
// whose `ema` is a wrapper (VPPrecond, VEPrecond, iDDPMPrecond, EDMPrecond) around a SongUNet or a
// DhariwalUNet.
//
// The wrappers are rows of `preconditioning` (Karras et al. 2022, table 1); our `unet` and `adm`
// name their weights as theirs do. Sampling is that of their generate.py: Heun, 18 steps, ρ = 7, σ
// from 0.002 to 80 within what the network was trained on.
#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "module_tree.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace edmund {
namespace {

using nlohmann::ordered_json;
using Kind = PickleValue::Kind;

constexpr std::string_view kWrappers[] = {"VPPrecond", "VEPrecond", "iDDPMPrecond", "EDMPrecond"};

// Our network for each of theirs.
constexpr std::pair<std::string_view, std::string_view> kNetworks[] = {{"SongUNet", "unet"}, {"DhariwalUNet", "adm"}};

// Our option for each constructor argument. Those that are not given have the defaults of `unet`
// and `adm`, which are their own.
constexpr std::pair<std::string_view, std::string_view> kArguments[] = {
    {"model_channels", "channels"},
    {"channel_mult", "multipliers"},
    {"channel_mult_emb", "embedding_multiplier"},
    {"channel_mult_noise", "noise_multiplier"},
    {"num_blocks", "blocks"},
    {"attn_resolutions", "attention"},
    {"dropout", "dropout"},
    {"embedding_type", "embedding"},
    {"encoder_type", "encoder"},
    {"decoder_type", "decoder"},
    {"resample_filter", "resample_filter"},
};
constexpr std::string_view kElsewhere[] = {"img_resolution", "in_channels",  "out_channels",
                                           "label_dim",      "augment_dim",  "model_type",
                                           "use_fp16",       "img_channels", "label_dropout"};

const PickleValue* model_of(const PickleValue& wrapper) {
  const PickleValue* modules = wrapper.find("_modules");
  return modules ? modules->find("model") : nullptr;
}

ordered_json copied(const PickleValue& wrapper, std::string_view type, std::initializer_list<std::string_view> keys,
                    const std::string& file) {
  ordered_json out = {{"type", type}};
  for (const auto key : keys)
    if (const PickleValue* value = wrapper.find(key)) out[std::string(key)] = plain_json(*value, file);
  return out;
}

ordered_json preconditioning_config(const PickleValue& wrapper, const std::string& file) {
  const std::string_view name = wrapper.text;
  if (name == "EDMPrecond") return copied(wrapper, "edm", {"sigma_data"}, file);
  if (name == "VEPrecond")
    return {{"type", "score"}, {"noise_input", copied(wrapper, "ve", {"sigma_min", "sigma_max"}, file)}};
  if (name == "VPPrecond")
    return {{"type", "eps"}, {"noise_input", copied(wrapper, "vp", {"beta_d", "beta_min", "M", "epsilon_t"}, file)}};
  return {{"type", "eps"}, {"noise_input", copied(wrapper, "index", {"M", "C_1", "C_2"}, file)}};
}

// "…-000123.pkl": thousands of images.
std::int64_t images_of(const std::filesystem::path& path) {
  const std::string stem = path.stem().string();
  const std::size_t dash = stem.rfind('-');
  std::int64_t thousands = 0;
  if (!stem.starts_with("network-snapshot-") || dash == std::string::npos) return 0;
  const auto [end, code] = std::from_chars(stem.data() + dash + 1, stem.data() + stem.size(), thousands);
  const bool whole = code == std::errc() && end == stem.data() + stem.size() && thousands < 1'000'000'000;
  return whole ? thousands * 1000 : 0;
}

}  // namespace

bool is_edm(const ForeignFile& file) {
  const PickleValue* ema = file.pickle ? file.pickle->root().find("ema") : nullptr;
  return ema && ema->kind == Kind::kObject && std::ranges::find(kWrappers, ema->text) != std::end(kWrappers) &&
         model_of(*ema) != nullptr;
}

ForeignModel read_edm(const ForeignFile& source) {
  const std::string file = source.path.string();
  const PickleValue& wrapper = *source.pickle->root().find("ema");
  const PickleValue& model = *model_of(wrapper);
  const auto* network = std::ranges::find(kNetworks, model.text, &std::pair<std::string_view, std::string_view>::first);
  require(network != std::end(kNetworks), "{}: a network of class {} is not converted, SongUNet and DhariwalUNet are",
          file, in_quotes(model.text));
  const auto whole = [&](std::string_view key) { return integer_at(wrapper, key, file); };
  ordered_json config;
  config["name"] = as_utf8(source.path.stem().string());
  config["image"] = {{"channels", whole("img_channels")},
                     {"height", whole("img_resolution")},
                     {"width", whole("img_resolution")},
                     {"classes", whole("label_dim")}};
  if (const PickleValue* augment = model.find("_init_kwargs")->find("augment_dim"); augment && augment->integer > 0)
    config["image"]["augment_labels"] = augment->integer;
  config["network"] = {{"type", network->second}};
  config["network"].update(constructor_options(model, kArguments, kElsewhere, file));
  if (wrapper.text == "iDDPMPrecond") config["network"]["learned_variance"] = true;
  config["preconditioning"] = preconditioning_config(wrapper, file);
  const double low = std::max(0.002, real_at(wrapper, "sigma_min", file)),
               high = std::min(80.0, real_at(wrapper, "sigma_max", file));
  // a config states how long its run is; this one is at its end, or that is not known
  config["training"] = {{"images", std::max<std::int64_t>(images_of(source.path), 1)}};
  config["sampling"] = {
      {"schedule", {{"type", "edm"}}},
      {"grid", {{"type", "karras"}, {"steps", 18}, {"rho", 7}, {"sigma_min", low}, {"sigma_max", high}}},
      {"sampler", {{"type", "heun"}}}};
  return {.config = config.dump(),
          .weights = module_tensors(*source.pickle, model, file),
          .about = format("{} around {}, averaged weights (ema)", wrapper.text, model.text),
          .images = images_of(source.path)};
}

}  // namespace edmund
