// config.json of UNet2DModel, read and written.
#include "diffusers_unet.h"
#include "edmund/core/error.h"

namespace edmund {
namespace {

constexpr std::int64_t kMostChannels = 16384, kMostClasses = 1'000'000;

std::vector<std::int64_t> size_of(JsonSettings& s) {
  constexpr std::int64_t kMost = 1 << 16;
  if (!s.has("sample_size")) return {};
  // a number, or height and width
  std::vector<std::int64_t> out;
  try {
    out = s.integers("sample_size", {}, 1, kMost);
  } catch (const Error&) {
    const std::int64_t side = s.integer("sample_size", 0, 1, kMost);
    return {side, side};
  }
  require(out.size() == 2, "{}: sample_size: expected a number, or height and width", s.file());
  return out;
}

}  // namespace

UNet2D UNet2D::read(JsonSettings s) {
  UNet2D u{.file = s.file()};
  s.skip({"_class_name", "_diffusers_version", "_name_or_path"});
  u.sample_size = size_of(s);
  u.in_channels = s.integer("in_channels", 3, 1, kMostChannels);
  u.out_channels = s.integer("out_channels", 3, 1, kMostChannels);
  u.center_input_sample = s.flag("center_input_sample", false);
  u.time_embedding_type = s.choice("time_embedding_type", "positional", {"positional", "fourier", "learned"});
  u.time_embedding_dim = s.optional_integer("time_embedding_dim", 1, 4 * kMostChannels);
  u.freq_shift = s.real("freq_shift", 0);
  u.flip_sin_to_cos = s.flag("flip_sin_to_cos", true);
  u.down_block_types =
      s.texts("down_block_types", {"DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"});
  u.up_block_types = s.texts("up_block_types", {"AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"});
  u.block_out_channels = s.integers("block_out_channels", {224, 448, 672, 896}, 1, kMostChannels);
  u.has_mid_block = !s.is_null("mid_block_type");
  s.choice("mid_block_type", "UNetMidBlock2D", {"UNetMidBlock2D"});
  u.layers_per_block = s.integer("layers_per_block", 2, 1, 64);
  u.mid_block_scale_factor = s.real("mid_block_scale_factor", 1);
  u.downsample_padding = s.integer("downsample_padding", 1, 0, 1);
  u.downsample_type = s.choice("downsample_type", "conv", {"conv", "resnet"});
  u.upsample_type = s.choice("upsample_type", "conv", {"conv", "resnet"});
  u.dropout = s.real("dropout", 0);
  u.act_fn = s.choice("act_fn", "silu", {"silu", "swish", "gelu", "mish", "relu"});
  u.attention_head_dim = s.integer_or_null("attention_head_dim", 8, 1, kMostChannels);
  u.norm_num_groups = s.integer_or_null("norm_num_groups", 32, 1, kMostChannels);
  u.attn_norm_num_groups = s.optional_integer("attn_norm_num_groups", 1, kMostChannels);
  u.norm_eps = s.real("norm_eps", 1e-5);
  u.scale_shift = s.choice("resnet_time_scale_shift", "default", {"default", "scale_shift"}) == "scale_shift";
  u.add_attention = s.flag("add_attention", true);
  u.class_embed_type = s.has("class_embed_type") ? s.choice("class_embed_type", "", {"timestep", "identity"}) : "";
  u.num_class_embeds = s.optional_integer("num_class_embeds", 1, kMostClasses);
  u.num_train_timesteps = s.optional_integer("num_train_timesteps", 1, kMostClasses);
  s.finish();
  const std::size_t levels = u.block_out_channels.size();
  require(levels > 0 && levels <= 16, "{}: block_out_channels: 1 to 16 resolutions expected, found {}", s.file(),
          levels);
  require(u.down_block_types.size() == levels && u.up_block_types.size() == levels,
          "{}: down_block_types, up_block_types and block_out_channels are of different lengths", s.file());
  if (u.out_channels != u.in_channels && u.out_channels != 2 * u.in_channels)
    s.refuse("out_channels", "as many as in_channels, or twice as many, have a counterpart here");
  if (u.mid_block_scale_factor <= 0) s.refuse("mid_block_scale_factor", "must be above 0");
  if (u.time_embedding_type == "learned" && !u.num_train_timesteps)
    s.refuse("num_train_timesteps", "is needed where time_embedding_type is learned");
  return u;
}

nlohmann::ordered_json UNet2D::json() const {
  const auto maybe = [](const std::optional<std::int64_t>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
  };
  nlohmann::ordered_json out = {{"_class_name", "UNet2DModel"},
                                {"_diffusers_version", "0.42.1"},
                                {"act_fn", act_fn},
                                {"add_attention", add_attention},
                                {"attention_head_dim", maybe(attention_head_dim)},
                                {"attn_norm_num_groups", maybe(attn_norm_num_groups)},
                                {"block_out_channels", block_out_channels},
                                {"center_input_sample", center_input_sample},
                                {"class_embed_type", nullptr},
                                {"down_block_types", down_block_types},
                                {"downsample_padding", downsample_padding},
                                {"downsample_type", downsample_type},
                                {"dropout", dropout},
                                {"flip_sin_to_cos", flip_sin_to_cos},
                                {"freq_shift", freq_shift},
                                {"in_channels", in_channels},
                                {"layers_per_block", layers_per_block},
                                {"mid_block_scale_factor", mid_block_scale_factor},
                                {"mid_block_type", nullptr},
                                {"norm_eps", norm_eps},
                                {"norm_num_groups", maybe(norm_num_groups)},
                                {"num_class_embeds", maybe(num_class_embeds)},
                                {"num_train_timesteps", maybe(num_train_timesteps)},
                                {"out_channels", out_channels},
                                {"resnet_time_scale_shift", scale_shift ? "scale_shift" : "default"},
                                {"sample_size", nullptr},
                                {"time_embedding_dim", maybe(time_embedding_dim)},
                                {"time_embedding_type", time_embedding_type},
                                {"up_block_types", up_block_types},
                                {"upsample_type", upsample_type}};
  if (!class_embed_type.empty()) out["class_embed_type"] = class_embed_type;
  if (has_mid_block) out["mid_block_type"] = "UNetMidBlock2D";
  if (sample_size.size() == 2 && sample_size[0] == sample_size[1]) {
    out["sample_size"] = sample_size[0];
  } else if (!sample_size.empty()) {
    out["sample_size"] = sample_size;
  }
  return out;
}

}  // namespace edmund
