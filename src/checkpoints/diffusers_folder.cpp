#include "diffusers_folder.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "edmund/io/pickle.h"
#include "edmund/io/tensor_file.h"
#include "module_tree.h"

#include <set>
#include <utility>

namespace edmund {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kName = "diffusion_pytorch_model";

// Attention's layers had other names until diffusers 0.12.
std::string newer_name(std::string name) {
  constexpr std::pair<std::string_view, std::string_view> kRenamed[] = {
      {".query.", ".to_q."}, {".key.", ".to_k."}, {".value.", ".to_v."}, {".proj_attn.", ".to_out.0."}};
  if (name.find(".attentions.") == std::string::npos) return name;
  for (const auto& [old, now] : kRenamed)
    if (const std::size_t at = name.find(old); at != std::string::npos) return name.replace(at, old.size(), now);
  return name;
}

void add(std::map<std::string, Tensor>& out, const fs::path& path, const std::string& name, const Tensor& tensor) {
  require(out.emplace(newer_name(name), tensor).second, "{}: tensor {} is there twice", path.string(), in_quotes(name));
}

std::map<std::string, Tensor> sharded(const fs::path& folder, const fs::path& index) {
  JsonSettings settings = JsonSettings::read(index);
  settings.skip({"metadata"});
  std::map<std::string, std::set<std::string>> shards;  // names in each file
  for (const auto& [tensor, file] : settings.texts_by_name("weight_map")) {
    require(fs::path(file).filename() == file && file != "..", "{}: {} lies elsewhere", index.string(),
            in_quotes(file));
    shards[file].insert(tensor);
  }
  settings.finish();
  std::map<std::string, Tensor> out;
  for (const auto& [file, names] : shards) {
    const TensorFile part = read_tensors(folder / file);
    for (const auto& [name, tensor] : part.tensors) {
      require(names.contains(name), "{}: tensor {} is not in the index", (folder / file).string(), in_quotes(name));
      add(out, folder / file, name, tensor);
    }
    for (const auto& name : names)
      require(part.tensors.contains(name), "{}: tensor {}, which the index names, is missing", (folder / file).string(),
              in_quotes(name));
  }
  return out;
}

std::string class_of(const fs::path& config) {
  return fs::is_regular_file(config) ? JsonSettings::read(config).text("_class_name", "") : "";
}

}  // namespace

std::optional<DiffusersFolder> diffusers_folder(const fs::path& path) {
  if (!fs::is_directory(path)) return std::nullopt;
  DiffusersFolder out;
  for (const auto& folder : {path / "unet", path / "transformer", path}) {
    if (!fs::is_regular_file(folder / "config.json")) continue;
    out.network = folder;
    out.class_name = class_of(folder / "config.json");
    break;
  }
  if (out.class_name.empty()) return std::nullopt;
  for (const auto& folder : {path / "scheduler", path})
    if (const auto config = folder / "scheduler_config.json"; fs::is_regular_file(config)) {
      out.scheduler_config = config;
      break;
    }
  return out;
}

std::map<std::string, Tensor> diffusers_weights(const fs::path& network) {
  const std::string name(kName);
  std::map<std::string, Tensor> out;
  for (const std::string ending : {".safetensors", ".fp16.safetensors"}) {
    const fs::path file = network / (name + ending);
    if (const fs::path index = network / (name + ending + ".index.json");
        fs::is_regular_file(index) && !fs::exists(file))
      return sharded(network, index);
    if (!fs::is_regular_file(file)) continue;
    for (const auto& [tensor, value] : read_tensors(file).tensors) add(out, file, tensor, value);
    return out;
  }
  const fs::path pickle = network / (name + ".bin");
  require(fs::is_regular_file(pickle), "{}: no {}.safetensors, nor its index, nor {}.bin", network.string(), kName,
          kName);
  const PickleFile file(pickle);
  for (const auto& [tensor, value] : state_tensors(file, file.root(), pickle.string())) add(out, pickle, tensor, value);
  return out;
}

}  // namespace edmund
