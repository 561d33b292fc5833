// edm2 — network snapshots of NVlabs/edm2: a pickle EasyDict(encoder, dataset_kwargs, loss_fn, ema)
// whose `ema` is a Precond around a UNet, every tensor of it in half precision.
//
// The wrapper is `preconditioning: edm` (Karras et al. 2022, table 1); our network `edm2` names its
// weights as their UNet does. The head of the learned uncertainty (logvar_fourier, logvar_linear)
// serves training alone and stands beside the network. A file PREFIX-KIMG-STD.pkl tells by its name
// how many images it saw and how long its average is. Sampling is that of their generate_images.py:
// Heun, 32 steps, ρ = 7, σ from 0.002 to 80. Snapshots of a latent encoder have images of 4
// channels, which are its latents.
#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "module_tree.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace edmund {
namespace {

using nlohmann::ordered_json;
using Kind = PickleValue::Kind;

// Our option for each constructor argument of their UNet. Those that are not given have the
// defaults of `edm2`, which are its own.
constexpr std::pair<std::string_view, std::string_view> kUNet[] = {
    {"model_channels", "channels"},
    {"channel_mult", "multipliers"},
    {"channel_mult_noise", "noise_multiplier"},
    {"channel_mult_emb", "embedding_multiplier"},
    {"num_blocks", "blocks"},
    {"attn_resolutions", "attention"},
    {"channels_per_head", "channels_per_head"},
    {"dropout", "dropout"},
    {"label_balance", "label_balance"},
    {"concat_balance", "concat_balance"},
    {"res_balance", "res_balance"},
    {"attn_balance", "attn_balance"},
    {"clip_act", "clip_act"},
    {"resample_filter", "resample_filter"},
};
constexpr std::string_view kElsewhere[] = {"img_resolution", "img_channels", "label_dim"};

const PickleValue* module_of(const PickleValue& wrapper, std::string_view name) {
  const PickleValue* modules = wrapper.find("_modules");
  const PickleValue* found = modules ? modules->find(name) : nullptr;
  return found && found->kind == Kind::kObject ? found : nullptr;
}

// Of "…-0002097-0.050": images (their snapshots lie at multiples of 1024, in thousands rounded
// down) and the relative standard deviation of the average.
struct Named {
  std::int64_t images = 0;
  std::optional<double> std = std::nullopt;
};
Named named(const std::filesystem::path& path) {
  const std::string stem = path.stem().string();
  const std::size_t second = stem.rfind('-'), first = stem.rfind('-', second == 0 ? 0 : second - 1);
  if (second == std::string::npos || first == std::string::npos || first >= second) return {};
  std::int64_t thousands = 0;
  const char *begin = stem.data() + first + 1, *end = stem.data() + second;
  const auto [rest, code] = std::from_chars(begin, end, thousands);
  const auto std = parse_real(stem.substr(second + 1));
  if (code != std::errc() || rest != end || thousands < 0 || thousands > 1'000'000'000 || !std) return {};
  const std::int64_t least = thousands * 1000, whole = (least + 1023) / 1024 * 1024;
  return {.images = whole < least + 1000 ? whole : least, .std = *std > 0 && *std < 0.28 ? std : std::nullopt};
}

ordered_json network_config(const PickleValue& unet, const std::string& file) {
  ordered_json out = {{"type", "edm2"}};
  out.update(constructor_options(unet, kUNet, kElsewhere, file));
  // None: no clipping, or a width that follows from others
  for (auto& value : out)
    if (value.is_null()) value = 0;
  return out;
}

}  // namespace

bool is_edm2(const ForeignFile& file) {
  const PickleValue* ema = file.pickle ? file.pickle->root().find("ema") : nullptr;
  return ema && ema->kind == Kind::kObject && ema->text == "Precond" && module_of(*ema, "unet") != nullptr;
}

ForeignModel read_edm2(const ForeignFile& source) {
  const std::string file = source.path.string();
  const PickleValue& wrapper = *source.pickle->root().find("ema");
  const PickleValue& unet = *module_of(wrapper, "unet");
  const Named name = named(source.path);
  const auto whole = [&](std::string_view key) { return integer_at(wrapper, key, file); };
  ordered_json config;
  config["name"] = as_utf8(source.path.stem().string());
  config["image"] = {{"channels", whole("img_channels")},
                     {"height", whole("img_resolution")},
                     {"width", whole("img_resolution")},
                     {"classes", whole("label_dim")}};
  config["network"] = network_config(unet, file);
  config["preconditioning"] = {{"type", "edm"}, {"sigma_data", real_at(wrapper, "sigma_data", file)}};
  // a config states how long its run is; this one is at its end, or that is not known
  config["training"] = {{"images", std::max<std::int64_t>(name.images, 1)}};
  if (name.std) config["training"]["ema"] = {{"type", "power"}, {"sigma_rel", *name.std}};
  config["sampling"] = {
      {"schedule", {{"type", "edm"}}},
      {"grid", {{"type", "karras"}, {"steps", 32}, {"rho", 7}, {"sigma_min", 0.002}, {"sigma_max", 80}}},
      {"sampler", {{"type", "heun"}}}};
  ForeignModel out{.config = config.dump(),
                   .weights = module_tensors(*source.pickle, unet, file),
                   .about = "Precond around UNet, averaged weights (ema), stored in half precision",
                   .images = name.images};
  if (name.std) out.about += format(", of relative length {}", *name.std);
  for (const std::string part : {"logvar_fourier", "logvar_linear"})
    if (const PickleValue* module = module_of(wrapper, part))
      for (auto& [key, tensor] : module_tensors(*source.pickle, *module, file))
        out.beside.emplace_back(part + "." + key, std::move(tensor));
  return out;
}

}  // namespace edmund
