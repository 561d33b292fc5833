#include "edmund/app/adapter.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/text.h"
#include "edmund/io/tensor_file.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

namespace edmund {
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kWeights = "adapter_model.safetensors";
constexpr const char* kConfig = "adapter_config.json";
constexpr const char* kMetadata = "lora_adapter_metadata";
constexpr std::string_view kPeft = "base_model.model.", kDiffusers = "unet.", kKohya = "lora_unet_";
constexpr std::uint64_t kConfigLimit = 1 << 20;

fs::path file_of(const fs::path& path) {
  for (const fs::path& file : {path, path / kWeights, path / "adapter" / kWeights})
    if (fs::is_regular_file(file)) return file;
  fail("{}: neither an adapter's file nor a folder with {}", path.string(), kWeights);
}

// What peft's configuration says of scales.
class Scales {
 public:
  Scales(const json& config, const std::string& prefix, std::string where) : where_(std::move(where)) {
    require(config.is_object(), "{}: is no JSON object", where_);
    const auto get = [&](const char* key) { return config.value(prefix + key, json()); };
    const json type = get("peft_type");
    require(type.is_null() || type == "LORA", "{}: peft_type {} is not applied here, LORA is", where_, json_text(type));
    // what would change more than weights, or by another rule
    for (const char* key : {"use_dora", "fan_in_fan_out", "lora_bias", "use_bdlora", "use_qalora"})
      require(get(key).is_null() || get(key) == false, "{}: {} is not applied here", where_, key);
    require(get("bias").is_null() || get("bias") == "none", "{}: bias {} is not applied here", where_,
            json_text(get("bias")));
    require(get("modules_to_save").is_null(), "{}: modules_to_save is not applied here", where_);
    stabilized_ = get("use_rslora") == true;
    alpha_ = number(get("lora_alpha"), "lora_alpha");
    const json patterns = get("alpha_pattern");
    if (patterns.is_object())
      for (const auto& [layer, value] : patterns.items()) {
        require(layer.find_first_of("^$*+?()[]{}|\\") == layer.npos,
                "{}: alpha_pattern {}: a pattern is not applied here", where_, in_quotes(layer));
        patterns_.emplace(layer, number(value, "alpha_pattern"));
      }
  }

  double of(const std::string& layer, std::int64_t rank) const {
    double alpha = alpha_;
    for (const auto& [name, value] : patterns_)
      if (layer == name || layer.ends_with("." + name)) alpha = value;
    const auto r = static_cast<double>(rank);
    return alpha / (stabilized_ ? std::sqrt(r) : r);
  }

 private:
  double number(const json& value, const char* key) const {
    require(value.is_number() && std::isfinite(value.get<double>()), "{}: {}: expected a number, found {}", where_, key,
            json_text(value));
    return value.get<double>();
  }

  std::string where_;
  double alpha_ = 1.0;
  bool stabilized_ = false;
  std::map<std::string, double> patterns_;
};

json parsed(const std::string& text, const std::string& where) {
  json out = json::parse(text, nullptr, /*allow_exceptions=*/false);
  require(!out.is_discarded(), "{}: is not JSON", where);
  return out;
}

std::optional<Scales> scales_of(const TensorFile& file, const fs::path& path) {
  if (const auto found = file.metadata.find(kMetadata); found != file.metadata.end()) {
    const std::string where = format("{}: metadata {}", path.string(), kMetadata);
    return Scales(parsed(found->second, where), std::string(kDiffusers), where);
  }
  const fs::path config = path.parent_path() / kConfig;
  const bool of_peft = file.tensors.begin()->first.starts_with(kPeft);
  if (!of_peft) return std::nullopt;
  require(fs::exists(config), "{}: {} is missing beside it, which tells the scale", path.string(), kConfig);
  return Scales(parsed(read_file(config, kConfigLimit), config.string()), "", config.string());
}

enum class Part { kA, kB, kAlpha, kKey, kValue };
struct Ending {
  std::string_view text;
  Part part;
  bool table;
};
constexpr Ending kEndings[] = {
    {".lora_A.weight", Part::kA, false},    {".lora_B.weight", Part::kB, false},
    {".lora_down.weight", Part::kA, false}, {".lora_up.weight", Part::kB, false},
    {".lora.down.weight", Part::kA, false}, {".lora.up.weight", Part::kB, false},
    {".lora_embedding_A", Part::kA, true},  {".lora_embedding_B", Part::kB, true},
    {".alpha", Part::kAlpha, false},        {".prefix.key", Part::kKey, false},
    {".prefix.value", Part::kValue, false},
};

std::string layer_of(std::string name) {
  for (const auto prefix : {kPeft, kDiffusers, kKohya})
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  return name;
}

}  // namespace

AdapterFile read_adapter(const fs::path& given) {
  const fs::path path = file_of(given);
  const TensorFile file = read_tensors(path);
  require(!file.tensors.empty(), "{}: holds no tensors", path.string());
  std::map<std::string, LowRank> layers;
  std::map<std::string, double> alphas;
  std::map<std::string, BlockPrefix> prefixes;
  for (const auto& [name, tensor] : file.tensors) {
    const auto* ending = std::ranges::find_if(kEndings, [&](const Ending& row) { return name.ends_with(row.text); });
    require(ending != std::end(kEndings), "{}: tensor {} is no part of a LoRA adapter that is applied here",
            path.string(), in_quotes(name));
    require(tensor.is_floating_point() && tensor.isfinite().all().item<bool>(),
            "{}: tensor {}: expected finite real numbers", path.string(), in_quotes(name));
    const std::string layer = layer_of(name.substr(0, name.size() - ending->text.size()));
    if (ending->part == Part::kKey || ending->part == Part::kValue) {
      BlockPrefix& prefix = prefixes[layer];
      prefix.block = layer;
      (ending->part == Part::kKey ? prefix.key : prefix.value) = tensor.to(at::kFloat);
      continue;
    }
    if (ending->part == Part::kAlpha) {
      require(tensor.numel() == 1, "{}: tensor {}: expected one number", path.string(), in_quotes(name));
      alphas[layer] = tensor.item<double>();
      continue;
    }
    LowRank& out = layers[layer];
    out.layer = layer;
    out.table = ending->table;
    (ending->part == Part::kA ? out.A : out.B) = tensor.to(at::kFloat);
  }
  AdapterFile out{.file = path.string(), .layers = {}};
  for (auto& [block, prefix] : prefixes) {
    require(prefix.key.defined() && prefix.value.defined(), "{}: block {} has keys without values or the reverse",
            path.string(), in_quotes(block));
    out.prefixes.push_back(std::move(prefix));
  }
  const auto scales = layers.empty() ? std::nullopt : scales_of(file, path);
  for (auto& [layer, change] : layers) {
    require(change.A.defined() && change.B.defined(), "{}: layer {} has one factor without the other", path.string(),
            in_quotes(layer));
    require(change.A.dim() >= 2 && change.A.size(0) > 0, "{}: layer {}: lora_A {}, expected [rank, …]", path.string(),
            in_quotes(layer), change.A.sizes());
    const std::int64_t rank = change.A.size(0);
    const auto alpha = alphas.find(layer);
    change.scale = alpha != alphas.end() ? alpha->second / static_cast<double>(rank)
                   : scales              ? scales->of(layer, rank)
                                         : 1.0;  // as diffusers and kohya take it
    out.layers.push_back(std::move(change));
  }
  for (const auto& [layer, alpha] : alphas)
    require(layers.contains(layer), "{}: alpha of layer {}, which has no factors", path.string(), in_quotes(layer));
  return out;
}

void write_adapter(const fs::path& folder, const AdapterFile& adapter) {
  const auto& layers = adapter.layers;
  NamedTensors tensors;
  const auto host = [](const Tensor& tensor) { return tensor.detach().to(at::kCPU, at::kFloat).contiguous(); };
  for (const auto& [block, key, value] : adapter.prefixes) {
    tensors.emplace_back(std::string(kPeft) + block + ".prefix.key", host(key));
    tensors.emplace_back(std::string(kPeft) + block + ".prefix.value", host(value));
  }
  json targets = json::array(), alphas = json::object(), ranks = json::object();
  const auto alpha_of = [](const LowRank& layer) { return layer.scale * static_cast<double>(layer.A.size(0)); };
  for (const LowRank& layer : layers) {
    const std::string name = std::string(kPeft) + layer.layer;
    const auto add = [&](const char* plain, const char* table, const Tensor& tensor) {
      tensors.emplace_back(name + (layer.table ? table : plain), host(tensor));
    };
    add(".lora_A.weight", ".lora_embedding_A", layer.A);
    add(".lora_B.weight", ".lora_embedding_B", layer.B);
    targets.push_back(layer.layer);
    if (alpha_of(layer) != alpha_of(layers.front())) alphas[layer.layer] = alpha_of(layer);
    if (layer.A.size(0) != layers.front().A.size(0)) ranks[layer.layer] = layer.A.size(0);
  }
  json config = {{"peft_type", "EDMUND_PREFIX"}};
  if (!layers.empty())
    config = {{"peft_type", "LORA"},
              {"r", layers.front().A.size(0)},
              {"lora_alpha", alpha_of(layers.front())},
              {"rank_pattern", ranks},
              {"alpha_pattern", alphas},
              {"target_modules", targets},
              {"use_rslora", false},
              {"use_dora", false},
              {"bias", "none"},
              {"fan_in_fan_out", false},
              {"lora_dropout", 0.0},
              {"inference_mode", true},
              {"base_model_name_or_path", nullptr},
              {"task_type", nullptr}};
  make_folder(folder);
  write_file(folder / kConfig, json_text(config, 2) + "\n");
  write_file(folder / kWeights, tensor_bytes(tensors, {{"format", "pt"}}));
}

AdapterFile adapter_of(const Network& network) {
  return {.file = "adapter", .layers = low_rank_layers(network), .prefixes = prefixes(network)};
}

void apply_adapter(Network& network, const AdapterFile& adapter, double strength) {
  add_changes(network, adapter.layers, 0.0, adapter.file);  // refuses what does not fit
  add_prefixes(network, adapter.prefixes, strength, adapter.file);
  add_changes(network, adapter.layers, strength, adapter.file);
}

std::map<std::string, Tensor> adapter_changes(const AdapterFile& adapter, const std::map<std::string, Tensor>& weights,
                                              double strength) {
  require(adapter.prefixes.empty(), "{}: a prefix is no change of weights", adapter.file);
  const auto name_of = [](const std::string& weight) {
    return weight.ends_with(".weight") ? weight.substr(0, weight.size() - 7) : "";
  };
  std::map<std::string, Tensor> out;
  for (LowRank layer : adapter.layers) {
    auto found = weights.find(layer.layer + ".weight");
    if (found == weights.end())
      found = std::ranges::find_if(
          weights, [&](const auto& weight) { return underscored(name_of(weight.first)) == layer.layer; });
    require(found != weights.end(), "{}: the network has no layer {}; is it an adapter of another network?",
            adapter.file, in_quotes(layer.layer));
    layer.A = layer.A.to(found->second.options());
    layer.B = layer.B.to(found->second.options());
    layer.scale *= strength;
    out[found->first] = low_rank_change(layer, found->second.sizes(), adapter.file);
  }
  return out;
}

std::vector<ChosenAdapter> chosen_adapters(Options& root) {
  std::vector<ChosenAdapter> out;
  for (Options& entry : root.children("adapters", "added to the weights of the run: a list of {file, strength}")) {
    const fs::path file = entry.required_path("file", "an adapter's .safetensors, its folder, or the run of one");
    const double strength = entry.real("strength", 1.0, between(-1e3, 1e3), "multiplies what it changes");
    out.push_back({file, strength});
  }
  return out;
}

std::string adapters_override(const std::vector<ChosenAdapter>& adapters) {
  std::string list;
  for (const auto& [file, strength] : adapters)
    list += format("{}{file: {}, strength: {}}", list.empty() ? "" : ", ", Options::quoted(file.string()), strength);
  return list.empty() ? "" : "adapters=[" + list + "]";
}

std::string identity_of(const std::vector<ChosenAdapter>& adapters) {
  std::string out;
  for (const auto& [file, strength] : adapters)
    out += format("adapter {} {}\n", checksum(read_file(file_of(file))), strength);
  return out;
}

}  // namespace edmund
