// A `block_unet` as UNet2DModel: a guess at the settings, block by block, which counts if they give
// the same network again.
#include "diffusers_outward.h"
#include "edmund/core/error.h"
#include "edmund/core/options.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <cmath>

namespace edmund {
namespace {

using Config = BlockUNet::Config;
using Block = BlockUNet::Block;
using Attention = BlockUNet::Attention;
using Resample = BlockUNet::Resample;

constexpr std::string_view kWhy = "has no counterpart in diffusers' UNet2DModel";

std::string type_of(const Block& block, bool up, bool last) {
  const std::string way = up ? "Up" : "Down";
  // The image's way ends above the last block down, which has none.
  const bool skip = block.image || (!up && last && block.scale != 1.0);
  const bool attends = block.attention != Attention::kNone;
  if (skip) return (attends ? "AttnSkip" : "Skip") + way + "Block2D";
  if (attends) return "Attn" + way + "Block2D";
  return block.resample == Resample::kResidual ? "Resnet" + way + "sampleBlock2D" : way + "Block2D";
}

std::string resample_type(const std::vector<Block>& blocks) {
  for (const Block& block : blocks)
    if (block.attention != Attention::kNone && !block.image && block.resample != Resample::kNone)
      return block.resample == Resample::kResidual ? "resnet" : "conv";
  return "conv";
}

std::optional<std::int64_t> head_width(const Config& c) {
  bool whole = true;
  std::int64_t width = 8;
  std::vector<Block> blocks = c.down;
  blocks.push_back(c.mid);
  blocks.insert(blocks.end(), c.up.begin(), c.up.end());
  for (const Block& block : blocks) {
    if (block.attention == Attention::kNone) continue;
    whole = whole && block.heads == 1;
    width = block.channels / block.heads;
  }
  return whole ? std::nullopt : std::optional(width);
}

// 1/x whose inverse is x again, where there is one.
double inverse(double x) {
  const double guess = 1 / x;
  for (const double near : {guess, std::nextafter(guess, 0.0), std::nextafter(guess, INFINITY)})
    if (1 / near == x) return near;
  return guess;
}

UNet2D guess(const Config& c, double scale, double shift) {
  UNet2D u;
  u.sample_size = {c.image.height, c.image.width};
  u.in_channels = c.image.channels, u.out_channels = c.out_channels;
  u.center_input_sample = c.input_scale == 2 * scale && c.input_shift == 2 * shift - 1;
  u.time_embedding_type = c.noise.kind == NoiseMap::Kind::kFourier ? "fourier"
                          : c.noise.kind == NoiseMap::Kind::kTable ? "learned"
                                                                   : "positional";
  if (c.embedding != 4 * c.down.front().channels) u.time_embedding_dim = c.embedding;
  if (c.noise.kind == NoiseMap::Kind::kPositional) {
    u.freq_shift = c.noise.shift;
    u.flip_sin_to_cos = c.noise.order == NoiseMap::Order::kCosSin;
  }
  if (c.noise.kind == NoiseMap::Kind::kTable) u.num_train_timesteps = c.noise.rows;
  for (const auto* const list : {&c.down, &c.up})
    for (std::size_t i = 0; i < list->size(); ++i)
      (list == &c.down ? u.down_block_types : u.up_block_types)
          .push_back(type_of((*list)[i], list == &c.up, i + 1 == list->size()));
  for (const Block& block : c.down) {
    u.block_out_channels.push_back(block.channels);
    if (block.resample == Resample::kConv) u.downsample_padding = block.padding == BlockUNet::Padding::kEnd ? 0 : 1;
  }
  u.has_mid_block = c.mid.layers > 0;
  u.layers_per_block = c.down.front().layers;
  u.mid_block_scale_factor = inverse(c.mid.scale);
  u.downsample_type = resample_type(c.down), u.upsample_type = resample_type(c.up);
  u.dropout = c.dropout;
  constexpr std::string_view kActivations[] = {"silu", "gelu", "mish", "relu"};
  u.act_fn = kActivations[static_cast<std::size_t>(c.activation)];
  u.attention_head_dim = head_width(c);
  u.norm_num_groups = c.groups > 0 ? std::optional(c.groups) : std::nullopt;
  u.norm_eps = c.eps;
  u.scale_shift = c.adaptive_scale;
  u.add_attention = c.mid.attention != Attention::kNone;
  if (const auto groups = c.mid.groups_attention; groups.value_or(0) > 0 && (c.adaptive_scale || groups != c.groups))
    u.attn_norm_num_groups = groups;
  if (c.num_classes > 0 && c.classes == ClassMap::Kind::kTable) u.num_class_embeds = c.num_classes;
  if (c.num_classes > 0 && c.classes == ClassMap::Kind::kNumber) u.class_embed_type = "timestep";
  if (c.num_classes > 0 && c.classes == ClassMap::Kind::kIdentity) u.class_embed_type = "identity";
  return u;
}

void require_same(const Config& c, const Config& again) {
  const auto blocks = [](std::string_view way, const std::vector<Block>& a, const std::vector<Block>& b) {
    for (std::size_t i = 0; i < a.size(); ++i)
      require(i < b.size() && a[i] == b[i], "network: block {} {} {}", way, i, kWhy);
  };
  blocks("down", c.down, again.down), blocks("up", c.up, again.up);
  require(c.mid == again.mid, "network: the block mid {}", kWhy);
  require(c.noise == again.noise, "network: noise {}", kWhy);
  require(c.num_classes == again.num_classes && c.classes == again.classes, "network: classes {}", kWhy);
  require(c.input_scale == again.input_scale && c.input_shift == again.input_shift, "network: input_scale {}", kWhy);
  require(c.groups == again.groups && c.embedding == again.embedding && c.eps == again.eps &&
              c.adaptive_scale == again.adaptive_scale && c.activation == again.activation &&
              c.dropout == again.dropout && c.out_channels == again.out_channels,
          "network: this block_unet {}", kWhy);
}

}  // namespace

UNet2D unet2d_of(const Config& network, double scale, double shift) {
  const Config c = BlockUNet::canonical(network);
  require(c.down.size() == c.up.size(), "network: up: as many blocks as down are needed for diffusers' UNet2DModel");
  UNet2D out = guess(c, scale, shift);
  Options options = Options::read_text(out.network(scale, shift).dump(), "network");
  options.text("type", "block_unet");
  const Config again = BlockUNet::canonical(
      read_block_unet(options, {.image = network.image, .num_classes = out.classes(), .augment_labels = 0}));
  options.finish();
  require_same(c, again);
  return out;
}

}  // namespace edmund
