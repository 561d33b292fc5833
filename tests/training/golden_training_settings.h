#pragma once

#include "edmund/networks/song_unet.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

/// Settings of golden files training_*. Every reader throws Error on what it cannot serve.
namespace edmund::testing {

// prefix of the wrapped network in the reference's state dict
inline const std::string kWrapped = "model.";

/// Throws Error if there are keys beside the known ones.
void require_keys(const nlohmann::json& settings, const std::vector<std::string>& known);

/// SongUNet's arguments in the reference's words, with its defaults.
SongUNet::Config network_config(const nlohmann::json& settings);

/// EDMLoss: ln σ ~ N(mean, std²).
struct GoldenLoss {
  double mean = -1.2, std = 1.2, sigma_data = 0.5;
  explicit GoldenLoss(const nlohmann::json& settings);
};

/// Names of the columns of norms, without the prefix.
std::vector<std::string> parameter_order(const nlohmann::json& settings);

/// NaN, inf and -inf that the reference put into a gradient; step -1 if none.
struct Injection {
  std::int64_t step = -1;
  std::string parameter;
  explicit Injection(const std::string& notes);
};

}  // namespace edmund::testing
