// UNet2DModel of huggingface/diffusers as `block_unet`: its blocks by name, its settings, and what
// each of its tensors is here.
#include "diffusers_unet.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <ATen/ops/outer.h>
#include <ATen/ops/tensor.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <utility>

namespace edmund {
namespace {

using nlohmann::ordered_json;
using Form = TensorRule::Form;

// NCSN++'s blocks have these whatever the settings say.
const double kSkipScale = std::sqrt(0.5);
constexpr std::int64_t kSkipAttentionGroups = 32, kSkipImageChannels = 3;
const std::vector<double> kBox = {1, 1}, kFir = {1, 3, 3, 1};

// Of an embedding that takes any number.
constexpr std::int64_t kNumbers = 1000;

// What the name of a block says: "AttnSkipDownBlock2D".
struct BlockType {
  bool attention = false, skip = false, residual = false, up = false;
};

BlockType block_type(std::string_view name, const std::string& where) {
  if (name.starts_with("UNetRes")) name.remove_prefix(7);  // an older name of the same
  struct Row {
    std::string_view name;
    BlockType type;
  };
  constexpr Row kTypes[] = {
      {"DownBlock2D", {}},
      {"AttnDownBlock2D", {.attention = true}},
      {"ResnetDownsampleBlock2D", {.residual = true}},
      {"SkipDownBlock2D", {.skip = true}},
      {"AttnSkipDownBlock2D", {.attention = true, .skip = true}},
      {"UpBlock2D", {.up = true}},
      {"AttnUpBlock2D", {.attention = true, .up = true}},
      {"ResnetUpsampleBlock2D", {.residual = true, .up = true}},
      {"SkipUpBlock2D", {.skip = true, .up = true}},
      {"AttnSkipUpBlock2D", {.attention = true, .skip = true, .up = true}},
  };
  for (const auto& [known, type] : kTypes)
    if (known == name) return type;
  fail("{}: a block of type {} has no counterpart here", where, in_quotes(name));
}

// One block as both the config and the rules need it.
struct Block {
  BlockType type;
  std::int64_t channels = 0;
  std::vector<std::int64_t> inputs = {};  // channels that enter each layer
  bool resamples = false;
  bool residual() const { return type.skip || type.residual; }
};

std::vector<Block> down_blocks(const UNet2D& u) {
  std::vector<Block> out;
  std::int64_t before = u.block_out_channels.front();
  for (std::size_t i = 0; i < u.block_out_channels.size(); ++i) {
    Block block{.type = block_type(u.down_block_types[i], u.file + ": down_block_types"),
                .channels = u.block_out_channels[i],
                .resamples = i + 1 < u.block_out_channels.size()};
    require(!block.type.up, "{}: down_block_types: {} is a block of the way up", u.file,
            in_quotes(u.down_block_types[i]));
    if (block.type.attention && !block.type.skip) block.type.residual = u.downsample_type == "resnet";
    block.inputs.assign(static_cast<std::size_t>(u.layers_per_block), block.channels);
    block.inputs.front() = std::exchange(before, block.channels);
    out.push_back(std::move(block));
  }
  return out;
}

std::vector<Block> up_blocks(const UNet2D& u) {
  const std::vector<std::int64_t> channels(u.block_out_channels.rbegin(), u.block_out_channels.rend());
  std::vector<Block> out;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    Block block{.type = block_type(u.up_block_types[i], u.file + ": up_block_types"),
                .channels = channels[i],
                .resamples = i + 1 < channels.size()};
    require(block.type.up, "{}: up_block_types: {} is a block of the way down", u.file, in_quotes(u.up_block_types[i]));
    if (block.type.attention && !block.type.skip) block.type.residual = u.upsample_type == "resnet";
    const std::int64_t next = channels[std::min(i + 1, channels.size() - 1)];
    for (std::int64_t layer = 0; layer <= u.layers_per_block; ++layer)
      block.inputs.push_back((layer == 0 ? channels[i == 0 ? 0 : i - 1] : channels[i]) +
                             (layer == u.layers_per_block ? next : channels[i]));
    out.push_back(std::move(block));
  }
  return out;
}

std::int64_t heads(const UNet2D& u, std::int64_t channels) {
  const std::int64_t width = u.attention_head_dim.value_or(channels);
  require(channels % width == 0, "{}: attention_head_dim: {} channels do not split into heads of {}", u.file, channels,
          width);
  return channels / width;
}

// AttnSkipUpBlock2D's groups of a layer's first norm, which its operators' precedence makes.
std::int64_t groups_in(const Block& block, std::int64_t before, const std::string& file) {
  std::optional<std::int64_t> found;
  for (std::size_t i = 0; i < block.inputs.size(); ++i) {
    const std::int64_t own = i == 0 ? before : block.channels;
    const std::int64_t groups = std::min<std::int64_t>(own + (block.inputs[i] - own) / 4, 32);
    require(found.value_or(groups) == groups,
            "{}: up_block_types: AttnSkipUpBlock2D of {} channels has layers of "
            "different numbers of groups, which has no counterpart here",
            file, block.channels);
    found = groups;
  }
  return *found;
}

ordered_json block_config(const UNet2D& u, const Block& block, std::int64_t before) {
  const BlockType& type = block.type;
  ordered_json out = {{"channels", block.channels}, {"layers", block.inputs.size()}};
  if (type.attention) {
    out["attention"] = type.skip && type.up ? "last" : "all";
    out["heads"] = heads(u, block.channels);
  }
  if (type.skip) {
    out["groups"] = 0;
    if (type.attention) out["groups_attention"] = kSkipAttentionGroups;
    if (type.attention && type.up) out["groups_in"] = groups_in(block, before, u.file);
    out["scale"] = kSkipScale;
    out["image"] = true;
    out["filter"] = kFir;
  } else {
    require(u.norm_num_groups.has_value(), "{}: norm_num_groups: null is for blocks with a skip image only", u.file);
  }
  out["resample"] = !block.resamples ? "none" : block.residual() ? "residual" : "conv";
  if (out["resample"] == "conv" && !type.up && u.downsample_padding == 0) out["padding"] = "end";
  return out;
}

Tensor filter(const std::vector<double>& taps) {
  const Tensor f = at::tensor(at::ArrayRef<double>(taps)).to(at::kFloat);
  return (at::outer(f, f) / f.sum().square()).unsqueeze(0).unsqueeze(0);
}

struct Layer {
  std::string ours, theirs;
  std::int64_t in = 0, out = 0;
  const std::vector<double>* resample = nullptr;  // taps
  bool projects = false;                          // the skip has a convolution in any case
};

void residual_rules(TensorRules& rules, const Layer& layer) {
  constexpr std::pair<std::string_view, std::string_view> kParts[] = {
      {"norm0", "norm1"}, {"conv0", "conv1"}, {"affine", "time_emb_proj"}, {"norm1", "norm2"}, {"conv1", "conv2"}};
  for (const auto& [ours, theirs] : kParts)
    add_layer(rules, layer.ours + "." + std::string(ours), {layer.theirs + "." + std::string(theirs)});
  if (layer.in != layer.out || layer.projects)
    add_layer(rules, layer.ours + ".skip", {layer.theirs + ".conv_shortcut"});
  if (!layer.resample) return;
  for (const std::string part : {".conv0", ".skip"})
    rules.push_back(
        {.ours = layer.ours + part + ".resample_filter", .form = Form::kConstant, .constant = filter(*layer.resample)});
}

void attention_rules(TensorRules& rules, const std::string& ours, const std::string& theirs, bool norm) {
  if (norm) add_layer(rules, ours + ".norm2", {theirs + ".group_norm"});
  add_layer(rules, ours + ".qkv", {theirs + ".to_q", theirs + ".to_k", theirs + ".to_v"}, Form::kInterleaved);
  add_layer(rules, ours + ".proj", {theirs + ".to_out.0"}, Form::kPointwise);
}

void block_rules(TensorRules& rules, const Block& block, std::size_t index) {
  const BlockType& type = block.type;
  const std::string way = type.up ? "up" : "down", ours = format("{}.{}", way, index),
                    theirs = format("{}_blocks.{}", way, index);
  for (std::size_t i = 0; i < block.inputs.size(); ++i) {
    const std::string layer = format("{}.{}", ours, i);
    residual_rules(rules, {layer, format("{}.resnets.{}", theirs, i), block.inputs[i], block.channels});
    const bool once = type.skip && type.up;
    if (type.attention && (!once || i + 1 == block.inputs.size()))
      attention_rules(rules, layer, format("{}.attentions.{}", theirs, once ? 0 : i), /*norm=*/true);
  }
  if (!block.resamples) return;
  const std::string sampler = theirs + (type.up ? ".upsamplers.0" : ".downsamplers.0");
  if (type.skip) {
    residual_rules(rules, {ours + "." + way, theirs + ".resnet_" + way, block.channels, block.channels, &kFir, true});
    if (type.up) add_layer(rules, ours + ".image_norm", {theirs + ".skip_norm"});
    add_layer(rules, ours + ".image_conv", {theirs + ".skip_conv"});
  } else if (type.residual) {
    residual_rules(rules, {ours + "." + way, sampler, block.channels, block.channels, &kBox});
  } else {
    add_layer(rules, ours + "." + way, {sampler + ".conv"});
  }
}

}  // namespace

std::int64_t UNet2D::classes() const {
  if (class_embed_type == "identity") return embedding();
  if (class_embed_type == "timestep") return kNumbers;
  return num_class_embeds.value_or(0);
}

ordered_json UNet2D::network(double scale, double shift) const {
  ordered_json out = {{"type", "block_unet"}};
  const bool fourier = time_embedding_type == "fourier", learned = time_embedding_type == "learned";
  const std::int64_t C = block_out_channels.front();
  out["noise"] = {{"type", fourier ? "fourier" : learned ? "table" : "positional"}, {"channels", fourier ? 2 * C : C}};
  if (fourier) {
    out["noise"]["order"] = "sin_cos";
  } else if (learned) {
    out["noise"]["rows"] = num_train_timesteps.value_or(0);
  } else {
    out["noise"]["order"] = flip_sin_to_cos ? "cos_sin" : "sin_cos";
    out["noise"]["shift"] = freq_shift;
  }
  out["embedding"] = embedding();
  if (classes() > 0)
    out["classes"] = class_embed_type == "" ? "table" : class_embed_type == "identity" ? "identity" : "number";
  out["adaptive"] = scale_shift;
  out["activation"] = act_fn == "swish" ? "silu" : act_fn;
  out["groups"] = norm_num_groups.value_or(0);
  out["eps"] = norm_eps;
  out["dropout"] = dropout;
  if (center_input_sample) scale *= 2, shift = 2 * shift - 1;
  if (scale != 1 || shift != 0) out["input_scale"] = scale, out["input_shift"] = shift;
  if (out_channels == 2 * in_channels) out["learned_variance"] = true;
  for (const Block& block : down_blocks(*this)) out["down"].push_back(block_config(*this, block, 0));
  const std::int64_t last = block_out_channels.back();
  if (has_mid_block) {
    out["mid"] = {
        {"layers", 2}, {"attention", add_attention ? "first" : "none"}, {"scale", 1 / mid_block_scale_factor}};
    if (add_attention) {
      out["mid"]["heads"] = heads(*this, last);
      out["mid"]["groups_attention"] = attn_norm_num_groups.value_or(
          scale_shift ? 0 : norm_num_groups.value_or(std::min<std::int64_t>(last / 4, 32)));
    }
  } else {
    out["mid"] = {{"layers", 0}};
  }
  std::int64_t before = last;
  for (const Block& block : up_blocks(*this))
    out["up"].push_back(block_config(*this, block, std::exchange(before, block.channels)));
  return out;
}

TensorRules UNet2D::rules() const {
  TensorRules out;
  add_layer(out, "map_noise.layer0", {"time_embedding.linear_1"});
  add_layer(out, "map_noise.layer1", {"time_embedding.linear_2"});
  if (time_embedding_type == "fourier") out.push_back({.ours = "map_noise.freqs", .theirs = {"time_proj.weight"}});
  if (time_embedding_type == "learned")
    out.push_back({.ours = "map_noise.table.weight", .theirs = {"time_proj.weight"}});
  if (class_embed_type == "timestep") {
    add_layer(out, "map_label.layer0", {"class_embedding.linear_1"});
    add_layer(out, "map_label.layer1", {"class_embedding.linear_2"});
  } else if (class_embed_type.empty() && num_class_embeds) {
    out.push_back({.ours = "map_label.table.weight", .theirs = {"class_embedding.weight"}});
  }
  add_layer(out, "conv_in", {"conv_in"});
  const auto down = down_blocks(*this), up = up_blocks(*this);
  for (std::size_t i = 0; i < down.size(); ++i) block_rules(out, down[i], i);
  const std::int64_t last = block_out_channels.back();
  for (std::size_t i = 0; has_mid_block && i < 2; ++i) {
    const std::string layer = format("mid.{}", i);
    residual_rules(out, {layer, format("mid_block.resnets.{}", i), last, last});
    if (i == 0 && add_attention)
      attention_rules(out, layer, "mid_block.attentions.0", !scale_shift || attn_norm_num_groups.has_value());
  }
  for (std::size_t i = 0; i < up.size(); ++i) block_rules(out, up[i], i);
  add_layer(out, "norm_out", {"conv_norm_out"});
  add_layer(out, "conv_out", {"conv_out"});
  return out;
}

void UNet2D::check_widths(const std::map<std::string, Tensor>& tensors, const std::string& origin) const {
  const auto check = [&](const std::string& name, std::int64_t rows) {
    const auto found = tensors.find(name);
    require(found != tensors.end(), "{}: tensor {} is missing", origin, in_quotes(name));
    require(found->second.dim() > 0 && found->second.size(0) == rows,
            "{}: tensor {}: {} rows expected by the settings beside it", origin, in_quotes(name), rows);
  };
  check("time_embedding.linear_1.weight", embedding());
  check("conv_out.weight", out_channels);
  if (time_embedding_type == "learned") check("time_proj.weight", num_train_timesteps.value_or(0));
  if (class_embed_type.empty() && num_class_embeds) check("class_embedding.weight", *num_class_embeds);
  for (std::size_t i = 0; i < block_out_channels.size(); ++i)
    check(format("down_blocks.{}.resnets.0.conv1.weight", i), block_out_channels[i]);
  require(tensors.at("conv_out.weight").dim() == 4 && tensors.at("conv_out.weight").size(1) == block_out_channels[0],
          "{}: tensor 'conv_out.weight' does not have {} channels", origin, block_out_channels[0]);
}

}  // namespace edmund
