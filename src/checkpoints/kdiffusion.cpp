// kdiffusion — image_v1 of crowsonkb/k-diffusion: a training's checkpoint (.pth: config, model,
// model_ema, …), or its slim form (.safetensors: the averaged weights, config in the metadata).
//
// The config tells all of the network `image_v1`, which names its weights as theirs does; under its
// augmentation wrapper they begin with inner_model. The wrapper around it is that of Karras et al.
// (2022, table 1): `preconditioning: edm`. A mapping condition is read as classes. Where the
// network predicts the loss's variance too, its last output channel stands beside it. Sampled as
// their sample.py: LMS, 50 steps, ρ = 7.
#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "module_tree.h"

#include <ATen/core/Tensor.h>
#include <nlohmann/json.hpp>
#include <utility>

namespace edmund {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::int64_t kAugmentLabels = 9;

const PickleValue* config_of(const ForeignFile& file) {
  const PickleValue* config = file.pickle ? file.pickle->root().find("config") : nullptr;
  const PickleValue* model = config ? config->find("model") : nullptr;
  return model && model->find("type") ? model : nullptr;
}

std::string slim_config(const ForeignFile& file) {
  if (!file.tensors || !file.tensors->metadata.contains("config")) return "";
  return file.tensors->metadata.at("config");
}

json settings_of(const ForeignFile& file) {
  if (const PickleValue* config = config_of(file)) return plain_json(*config, file.path.string());
  const json whole = json::parse(slim_config(file), nullptr, /*allow_exceptions=*/false);
  return whole.is_object() && whole.contains("model") && whole["model"].is_object() ? whole["model"] : json();
}

// Settings with their defaults, each of the kind that is wanted.
class Settings {
 public:
  Settings(json given, std::string file) : given_(std::move(given)), file_(std::move(file)) {}

  std::int64_t integer(const std::string& key, std::int64_t fallback) const {
    return value<std::int64_t>(
        key, fallback, [](const json& x) { return x.is_number_integer(); }, "an integer");
  }
  double real(const std::string& key, double fallback) const {
    return value<double>(
        key, fallback, [](const json& x) { return x.is_number(); }, "a number");
  }
  bool flag(const std::string& key, bool fallback) const {
    return value<bool>(
        key, fallback, [](const json& x) { return x.is_boolean(); }, "true or false");
  }
  std::string text(const std::string& key, const std::string& fallback) const {
    return value<std::string>(
        key, fallback, [](const json& x) { return x.is_string(); }, "a text");
  }
  std::vector<std::int64_t> integers(const std::string& key) const {
    const auto found = given_.find(key);
    require(found != given_.end() && found->is_array(), "{}: config: model.{} is missing", file_, key);
    std::vector<std::int64_t> out;
    for (const auto& item : *found) {
      require(item.is_number_integer() || item.is_boolean(), "{}: config: model.{}: expected integers", file_, key);
      out.push_back(item.is_boolean() ? static_cast<std::int64_t>(item.get<bool>()) : item.get<std::int64_t>());
    }
    return out;
  }
  // Only this value is converted.
  void only(const std::string& key, const json& value) const {
    const auto found = given_.find(key);
    require(found == given_.end() || *found == value, "{}: config: model.{} {} is not converted, {} is", file_, key,
            found == given_.end() ? "" : found->dump(), value.dump());
  }

 private:
  template <typename T>
  T value(const std::string& key, const T& fallback, bool (*fits)(const json&), std::string_view kind) const {
    const auto found = given_.find(key);
    if (found == given_.end()) return fallback;
    require(fits(*found), "{}: config: model.{}: expected {}", file_, key, kind);
    return found->get<T>();
  }

  json given_;
  std::string file_;
};

// The network's tensors without the wrapper's prefix; those of the slim form are not of the same
// width.
NamedTensors tensors_of(const ForeignFile& source, std::string_view key, bool wrapped) {
  const std::string file = source.path.string();
  NamedTensors all;
  if (source.tensors) {
    for (const auto& [name, tensor] : source.tensors->tensors)
      all.emplace_back(name, tensor.is_floating_point() ? tensor.to(at::kFloat) : tensor);
  } else {
    const PickleValue* state = source.pickle->root().find(key);
    require(state && state->kind == PickleValue::Kind::kMapping, "{}: no {}", file, key);
    all = state_tensors(*source.pickle, *state, file);
  }
  constexpr std::string_view kWrapper = "inner_model.";
  for (auto& [name, tensor] : all) {
    if (!wrapped) continue;
    require(name.starts_with(kWrapper), "{}: tensor {} is not of the augmentation wrapper that the config names", file,
            in_quotes(name));
    name = name.substr(kWrapper.size());
  }
  return all;
}

// Takes the last output channel, of the variance, out of the network.
void split_variance(NamedTensors& weights, NamedTensors& beside, const std::string& file) {
  for (auto& [name, tensor] : weights) {
    if (!name.starts_with("proj_out.")) continue;
    require(tensor.dim() > 0 && tensor.size(0) > 1, "{}: {} has no channel of a variance", file, name);
    const std::int64_t kept = tensor.size(0) - 1;
    beside.emplace_back("variance." + name, tensor.narrow(0, kept, 1).clone());
    tensor = tensor.narrow(0, 0, kept).clone();
  }
}

ordered_json config_of(const Settings& s, const std::string& name) {
  const auto size = s.integers("input_size");
  require(size.size() == 2, "{}: config: model.input_size: expected height and width", name);
  ordered_json out = {{"name", name}};
  out["image"] = {{"channels", s.integer("input_channels", 3)},
                  {"height", size[0]},
                  {"width", size[1]},
                  {"classes", s.integer("mapping_cond_dim", 0)}};
  if (s.flag("augment_wrapper", true)) out["image"]["augment_labels"] = kAugmentLabels;
  out["network"] = {{"type", "image_v1"},
                    {"channels", s.integers("channels")},
                    {"depths", s.integers("depths")},
                    {"attention", s.integers("self_attn_depths")},
                    {"embedding", s.integer("mapping_out", 256)},
                    {"patch", s.integer("patch_size", 1)}};
  out["preconditioning"] = {{"type", "edm"}, {"sigma_data", s.real("sigma_data", 1.0)}};
  // a config states how long its run is; this one is at its end, whose images are not told
  out["training"] = {{"images", 1}};
  const double low = s.real("sigma_min", 1e-2), high = s.real("sigma_max", 80.0);
  out["sampling"] = {{"schedule", {{"type", "edm"}}},
                     {"grid", {{"type", "karras"}, {"steps", 50}, {"rho", 7}, {"sigma_min", low}, {"sigma_max", high}}},
                     {"sampler", {{"type", "lms"}}}};
  return out;
}

}  // namespace

bool is_kdiffusion(const ForeignFile& file) {
  if (const PickleValue* config = config_of(file)) return config->find("type")->text.starts_with("image_");
  const json settings = settings_of(file);
  return settings.is_object() && settings.contains("type") && settings["type"].is_string() &&
         settings["type"].get<std::string>().starts_with("image_");
}

ForeignModel read_kdiffusion(const ForeignFile& source) {
  const std::string file = source.path.string();
  const Settings s(settings_of(source), file);
  s.only("type", "image_v1");
  s.only("unet_cond_dim", 0);
  s.only("cross_cond_dim", 0);
  s.only("skip_stages", 0);
  const bool wrapped = s.flag("augment_wrapper", true), variance = s.flag("has_variance", false);
  ForeignModel out{.config = config_of(s, as_utf8(source.path.stem().string())).dump(),
                   .weights = tensors_of(source, "model_ema", wrapped),
                   .about = "image_v1, averaged weights (model_ema)"};
  if (source.pickle) out.raw = tensors_of(source, "model", wrapped);
  NamedTensors unused;
  if (variance) split_variance(out.weights, out.beside, file), split_variance(out.raw, unused, file);
  if (const double dropout = s.real("dropout_rate", 0); dropout > 0)
    out.about += format(", trained with dropout {}, which the network here does not have", dropout);
  return out;
}

}  // namespace edmund
