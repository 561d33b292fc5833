// diffusers — model folders of huggingface/diffusers, as from_pretrained reads and save_pretrained
// writes them: config.json and diffusion_pytorch_model.safetensors (or its shards, or .bin) of a
// UNet2DModel or a DiTTransformer2DModel, and the scheduler_config.json beside it.
//
// The scheduler says what the network predicts and how it is told the noise level; sampling is that
// of the pipeline which takes such a scheduler (diffusers_scheduler.cpp). Raw or averaged weights:
// the folder does not tell; those of google/ddpm-* are averaged ones.
#include "edmund/checkpoints/diffusers.h"

#include "diffusers_dit.h"
#include "diffusers_folder.h"
#include "diffusers_scheduler.h"
#include "diffusers_unet.h"
#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <ATen/ops/zeros_like.h>
#include <utility>
#include <vector>

namespace edmund {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::string name_of(const fs::path& path) {
  const fs::path whole = fs::absolute(path).lexically_normal();
  const std::string name = as_utf8((whole.has_filename() ? whole : whole.parent_path()).filename().string());
  return name.empty() ? "diffusers" : name;
}

DiffusersConvention convention_of(const DiffusersFolder& folder, std::string_view time_embedding, ForeignModel& model) {
  if (folder.scheduler_config.empty()) {
    model.unsaid.push_back({"preconditioning.type",
                            "what the network predicts, as no scheduler_config.json lies there: "
                            "eps, v, x0 or another of `edmund list preconditionings`"});
    return {};
  }
  DiffusersConvention out = diffusers_convention(JsonSettings::read(folder.scheduler_config));
  require(out.takes_sigma == (time_embedding == "fourier"),
          "{}: a network with time_embedding_type {} takes no noise levels of this scheduler here",
          folder.scheduler_config.string(), time_embedding);
  return out;
}

/// What the settings of either class of network say.
struct Told {
  ordered_json image, network;
  TensorRules rules;
  DiffusersConvention convention;
};

Told describe_unet(const DiffusersFolder& folder, const std::string& settings,
                   const std::map<std::string, Tensor>& weights, ForeignModel& model) {
  const UNet2D unet = UNet2D::read(JsonSettings::read(settings));
  unet.check_widths(weights, folder.network.string());
  Told out{.image = {{"channels", unet.in_channels}}, .rules = unet.rules()};
  out.convention = convention_of(folder, unet.time_embedding_type, model);
  if (unet.sample_size.empty()) {
    model.unsaid.push_back({"image.height", "of the images, in pixels"});
    model.unsaid.push_back({"image.width", "of the images, in pixels"});
  } else {
    out.image["height"] = unet.sample_size[0];
    out.image["width"] = unet.sample_size[1];
  }
  out.image["classes"] = unet.classes();
  out.network = unet.network(out.convention.scale, out.convention.shift);
  model.about = format("UNet2DModel, {} resolutions", unet.block_out_channels.size());
  return out;
}

Told describe_dit(const DiffusersFolder& folder, const std::string& settings,
                  const std::map<std::string, Tensor>& weights, ForeignModel& model) {
  const DiT2D dit = DiT2D::read(JsonSettings::read(settings));
  dit.check_widths(weights, folder.network.string());
  Told out{.image = {{"channels", dit.in_channels},
                     {"height", dit.sample_size},
                     {"width", dit.sample_size},
                     {"classes", dit.num_embeds_ada_norm}},
           .network = dit.network(),
           .rules = dit.rules(),
           .convention = convention_of(folder, "positional", model)};
  // DiTPipeline's
  if (!out.convention.sampling.is_null()) out.convention.sampling["guidance"] = {{"weight", 4.0}};
  model.about = format("DiTTransformer2DModel, {} blocks", dit.num_layers);
  return out;
}

}  // namespace

namespace {

TensorRules rules_of(const fs::path& path) {
  const auto folder = diffusers_folder(path);
  require(folder.has_value(), "{}: no model folder of diffusers", path.string());
  JsonSettings settings = JsonSettings::read(folder->network / "config.json");
  return folder->class_name == "UNet2DModel" ? UNet2D::read(settings).rules() : DiT2D::read(settings).rules();
}

}  // namespace

std::map<std::string, Tensor> diffusers_tensors(const fs::path& path, const NamedTensors& ours) {
  return tensors_there(rules_of(path), ours);
}

NamedTensors diffusers_changes(const fs::path& path, const std::map<std::string, Tensor>& theirs) {
  TensorRules rules = rules_of(path);
  std::erase_if(rules, [](const TensorRule& rule) { return rule.form == TensorRule::Form::kConstant; });
  auto all = diffusers_weights(diffusers_folder(path).value().network);
  for (auto& [name, tensor] : all) tensor = at::zeros_like(tensor);
  for (const auto& [name, tensor] : theirs) {
    const auto found = all.find(name);
    require(found != all.end(), "{}: has no tensor {}", path.string(), in_quotes(name));
    found->second = tensor;
  }
  return tensors_here(rules, all, path.string());
}

bool is_diffusers(const ForeignFile& file) { return diffusers_folder(file.path).has_value(); }

ForeignModel read_diffusers(const ForeignFile& file) {
  const DiffusersFolder folder = diffusers_folder(file.path).value();
  const std::string settings = (folder.network / "config.json").string();
  const bool unet = folder.class_name == "UNet2DModel";
  // Transformer2DModel: the older name of DiT's
  require(unet || folder.class_name == "DiTTransformer2DModel" || folder.class_name == "Transformer2DModel",
          "{}: a network of class {} is not converted, UNet2DModel and DiTTransformer2DModel are", settings,
          in_quotes(folder.class_name));
  ForeignModel out;
  const auto weights = diffusers_weights(folder.network);
  Told found = (unet ? describe_unet : describe_dit)(folder, settings, weights, out);
  ordered_json config = {{"name", name_of(file.path)}, {"image", found.image}, {"network", found.network}};
  if (!found.convention.preconditioning.is_null()) config["preconditioning"] = found.convention.preconditioning;
  // a config states how long its run is; that is not known
  config["training"] = {{"images", 1}};
  if (!found.convention.sampling.is_null()) config["sampling"] = found.convention.sampling;
  out.weights = tensors_here(found.rules, weights, folder.network.string());
  out.config = config.dump();
  return out;
}

}  // namespace edmund
