#pragma once

#include "edmund/core/error.h"
#include "edmund/networks/network.h"
#include "support/wrappers.h"

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace edmund::testing {

/// Our network for the arguments of NVlabs/edm2's UNet and Block that stand in `settings`, `others`
/// aside. Throws Error for arguments that have no option here.
inline std::shared_ptr<Network> edm2_network(const nlohmann::json& settings, const std::set<std::string>& others) {
  const std::map<std::string, std::string> options_by_argument = {
      {"model_channels", "channels"},
      {"channel_mult", "multipliers"},
      {"channel_mult_noise", "noise_multiplier"},
      {"channel_mult_emb", "embedding_multiplier"},
      {"num_blocks", "blocks"},
      {"attn_resolutions", "attention"},
      {"channels_per_head", "channels_per_head"},
      {"dropout", "dropout"},
      {"label_balance", "label_balance"},
      {"concat_balance", "concat_balance"},
      {"res_balance", "res_balance"},
      {"attn_balance", "attn_balance"},
      {"clip_act", "clip_act"},
      {"resample_filter", "resample_filter"},
  };
  nlohmann::json config = {{"type", "edm2"}};
  for (const auto& [key, value] : settings.items()) {
    const auto found = options_by_argument.find(key);
    require(found != options_by_argument.end() || others.contains(key), "no option here for the setting '{}'", key);
    // None: 0 stands for no clipping and for the widths that follow from others
    if (found != options_by_argument.end()) config[found->second] = value.is_null() ? nlohmann::json(0) : value;
  }
  Options options = options_of(config);
  const std::int64_t R = settings.at("img_resolution");
  auto network = make_network(options, {.image = {.channels = settings.at("img_channels"), .height = R, .width = R},
                                        .num_classes = settings.value("label_dim", std::int64_t{0})});
  options.finish();
  return network;
}

}  // namespace edmund::testing
