// DiTTransformer2DModel of huggingface/diffusers as `dit`. Its library holds the embeddings of
// noise and class once for each block; they are one and the same in weights that were converted to
// it.
#include "diffusers_outward.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "edmund/networks/dit_block.h"

#include <string_view>
#include <vector>

namespace edmund {
namespace {

using Form = TensorRule::Form;

constexpr std::int64_t kMost = 1 << 16;
// Its waves' exponents are divided by n - 1.
constexpr double kFrequencyShift = 1.0;

// One layer here, a copy of it in each block there.
void add_copies(TensorRules& rules, const std::string& ours, const std::string& theirs, std::int64_t blocks) {
  TensorRule rule{.ours = ours, .form = Form::kCopies};
  for (std::int64_t i = 0; i < blocks; ++i) rule.theirs.push_back(format("transformer_blocks.{}.{}", i, theirs));
  rules.push_back(std::move(rule));
}

}  // namespace

DiT2D DiT2D::read(JsonSettings s) {
  s.skip({"_class_name", "_diffusers_version", "_name_or_path", "norm_num_groups", "upcast_attention"});
  // of Transformer2DModel, as it was called before
  for (const auto key : {"cross_attention_dim", "num_vector_embeds", "caption_channels"}) s.only(key, nullptr);
  for (const auto key : {"double_self_attention", "only_cross_attention", "norm_elementwise_affine"})
    s.only(key, false);
  s.skip({"use_linear_projection", "attention_type", "interpolation_scale", "use_additional_conditions"});
  s.only("norm_type", "ada_norm_zero");
  s.only("activation_fn", "gelu-approximate");
  s.only("attention_bias", true);
  if (s.real("dropout", 0) != 0) s.refuse("dropout");
  DiT2D d;
  d.sample_size = s.integer("sample_size", 32, 1, kMost);
  d.patch_size = s.integer("patch_size", 2, 1, 64);
  d.in_channels = s.integer("in_channels", 4, 1, kMost);
  d.out_channels = s.integer("out_channels", d.in_channels, 1, kMost);
  d.num_layers = s.integer("num_layers", 28, 1, 1024);
  d.num_attention_heads = s.integer("num_attention_heads", 16, 1, 1024);
  d.attention_head_dim = s.integer("attention_head_dim", 72, 1, kMost);
  d.num_embeds_ada_norm = s.integer("num_embeds_ada_norm", 1000, 1, 1'000'000);
  d.norm_eps = s.real("norm_eps", 1e-5);
  s.finish();
  if (d.out_channels != d.in_channels && d.out_channels != 2 * d.in_channels)
    s.refuse("out_channels", "as many as in_channels, or twice as many, have a counterpart here");
  return d;
}

nlohmann::ordered_json DiT2D::json() const {
  return {{"_class_name", "DiTTransformer2DModel"},
          {"_diffusers_version", "0.42.1"},
          {"activation_fn", "gelu-approximate"},
          {"attention_bias", true},
          {"attention_head_dim", attention_head_dim},
          {"dropout", 0.0},
          {"in_channels", in_channels},
          {"norm_elementwise_affine", false},
          {"norm_eps", norm_eps},
          {"norm_num_groups", 32},
          {"norm_type", "ada_norm_zero"},
          {"num_attention_heads", num_attention_heads},
          {"num_embeds_ada_norm", num_embeds_ada_norm},
          {"num_layers", num_layers},
          {"out_channels", out_channels},
          {"patch_size", patch_size},
          {"sample_size", sample_size},
          {"upcast_attention", false}};
}

nlohmann::ordered_json DiT2D::network() const {
  nlohmann::ordered_json out = {
      {"type", "dit"},       {"patch", patch_size},          {"hidden_size", num_attention_heads * attention_head_dim},
      {"depth", num_layers}, {"heads", num_attention_heads}, {"frequency_shift", kFrequencyShift},
      {"mlp_eps", norm_eps}};
  if (out_channels == 2 * in_channels) out["learn_sigma"] = true;
  return out;
}

TensorRules DiT2D::rules() const {
  TensorRules out;
  add_layer(out, "x_embedder.proj", {"pos_embed.proj"});
  for (const std::string part : {"weight", "bias"}) {
    add_copies(out, "t_embedder.mlp.0." + part, "norm1.emb.timestep_embedder.linear_1." + part, num_layers);
    add_copies(out, "t_embedder.mlp.2." + part, "norm1.emb.timestep_embedder.linear_2." + part, num_layers);
  }
  add_copies(out, "y_embedder.embedding_table.weight", "norm1.emb.class_embedder.embedding_table.weight", num_layers);
  const std::int64_t side = sample_size / patch_size;
  out.push_back(
      {.ours = "pos_embed",
       .form = Form::kConstant,
       .constant = grid_embedding(num_attention_heads * attention_head_dim, side, side).to(at::kFloat).unsqueeze(0)});
  for (std::int64_t i = 0; i < num_layers; ++i) {
    const std::string ours = format("blocks.{}.", i), theirs = format("transformer_blocks.{}.", i);
    add_layer(out, ours + "adaLN_modulation.1", {theirs + "norm1.linear"});
    add_layer(out, ours + "attn.qkv", {theirs + "attn1.to_q", theirs + "attn1.to_k", theirs + "attn1.to_v"},
              Form::kStacked);
    add_layer(out, ours + "attn.proj", {theirs + "attn1.to_out.0"});
    add_layer(out, ours + "mlp.fc1", {theirs + "ff.net.0.proj"});
    add_layer(out, ours + "mlp.fc2", {theirs + "ff.net.2"});
  }
  add_layer(out, "final_layer.adaLN_modulation.1", {"proj_out_1"});
  add_layer(out, "final_layer.linear", {"proj_out_2"});
  return out;
}

void DiT2D::check_widths(const std::map<std::string, Tensor>& tensors, const std::string& file) const {
  const std::int64_t width = num_attention_heads * attention_head_dim;
  const auto check = [&](const std::string& name, at::IntArrayRef shape) {
    const auto found = tensors.find(name);
    require(found != tensors.end(), "{}: tensor {} is missing", file, in_quotes(name));
    require(found->second.sizes() == shape, "{}: tensor {} is not as wide as the settings beside it say", file,
            in_quotes(name));
  };
  require(width % 4 == 0 && sample_size % patch_size == 0,
          "{}: attention_head_dim, patch_size: a width that 4 divides and whole patches are expected", file);
  check("pos_embed.proj.weight", {width, in_channels, patch_size, patch_size});
  check("proj_out_2.weight", {patch_size * patch_size * out_channels, width});
  check("transformer_blocks.0.norm1.emb.class_embedder.embedding_table.weight", {num_embeds_ada_norm + 1, width});
}

DiT2D dit2d_of(const DiT::Config& c) {
  constexpr std::string_view kWhy = "has no counterpart in diffusers' DiTTransformer2DModel";
  require(c.image.height == c.image.width, "network: images of {}×{}: a dit that is not square {}", c.image.height,
          c.image.width, kWhy);
  require(c.num_classes > 0 && c.null_class, "network: a dit without classes, or without \"no class\", {}", kWhy);
  require(c.frequency_shift == kFrequencyShift, "network.frequency_shift: {} {}, {} has", c.frequency_shift, kWhy,
          kFrequencyShift);
  require(c.mlp_ratio == 4, "network.mlp_ratio: {} {}, 4 has", c.mlp_ratio, kWhy);
  return {.sample_size = c.image.height,
          .patch_size = c.patch,
          .in_channels = c.image.channels,
          .out_channels = (c.learn_sigma ? 2 : 1) * c.image.channels,
          .num_layers = c.depth,
          .num_attention_heads = c.heads,
          .attention_head_dim = c.hidden_size / c.heads,
          .num_embeds_ada_norm = c.num_classes,
          .norm_eps = c.mlp_eps};
}

}  // namespace edmund
