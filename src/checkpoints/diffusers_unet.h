#pragma once

#include "json_settings.h"
#include "tensor_rules.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace edmund {

/// The settings of huggingface/diffusers' UNet2DModel, under its names, and what follows from them.
struct UNet2D {
  std::string file = "config.json";            // where they stand, for messages
  std::vector<std::int64_t> sample_size = {};  // height, width; empty: not told
  std::int64_t in_channels = 3, out_channels = 3;
  bool center_input_sample = false;
  std::string time_embedding_type = "positional";
  std::optional<std::int64_t> time_embedding_dim = std::nullopt;
  double freq_shift = 0.0;
  bool flip_sin_to_cos = true;
  std::vector<std::string> down_block_types, up_block_types;
  bool has_mid_block = true;
  std::vector<std::int64_t> block_out_channels;
  std::int64_t layers_per_block = 2;
  double mid_block_scale_factor = 1.0;
  std::int64_t downsample_padding = 1;
  std::string downsample_type = "conv", upsample_type = "conv";
  double dropout = 0.0;
  std::string act_fn = "silu";
  std::optional<std::int64_t> attention_head_dim = 8;
  std::optional<std::int64_t> norm_num_groups = 32, attn_norm_num_groups = std::nullopt;
  double norm_eps = 1e-5;
  bool scale_shift = false;
  bool add_attention = true;
  std::string class_embed_type = "";  // "", timestep or identity
  std::optional<std::int64_t> num_class_embeds = std::nullopt, num_train_timesteps = std::nullopt;

  /// Reads config.json. Throws Error naming a setting that no network here has.
  static UNet2D read(JsonSettings settings);
  nlohmann::ordered_json json() const;

  std::int64_t embedding() const { return time_embedding_dim.value_or(4 * block_out_channels.front()); }
  /// Classes of the labels, 0: none.
  std::int64_t classes() const;
  /// `network:` of a config; images there are scale·x + shift of those here. Throws Error for what
  /// diffusers itself cannot build.
  nlohmann::ordered_json network(double scale, double shift) const;
  TensorRules rules() const;
  /// Throws Error, which begins with `origin`, unless the tensors are as wide as the settings say:
  /// to be called before a network is made.
  void check_widths(const std::map<std::string, Tensor>& tensors, const std::string& origin) const;
};

}  // namespace edmund
