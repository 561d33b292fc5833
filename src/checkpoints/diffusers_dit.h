#pragma once

#include "json_settings.h"
#include "tensor_rules.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace edmund {

/// The settings of huggingface/diffusers' DiTTransformer2DModel, under its names.
struct DiT2D {
  std::int64_t sample_size = 32, patch_size = 2, in_channels = 4, out_channels = 4;
  std::int64_t num_layers = 28, num_attention_heads = 16, attention_head_dim = 72;
  std::int64_t num_embeds_ada_norm = 1000;  // classes
  double norm_eps = 1e-5;                   // of the norm before the MLP alone

  /// Reads config.json. Throws Error naming a setting that no network here has.
  static DiT2D read(JsonSettings settings);
  nlohmann::ordered_json json() const;
  /// `network:` of a config.
  nlohmann::ordered_json network() const;
  TensorRules rules() const;
  /// Throws Error unless the tensors are as wide as the settings say, before a network is made.
  void check_widths(const std::map<std::string, Tensor>& tensors, const std::string& file) const;
};

}  // namespace edmund
