#include "golden_training_settings.h"

#include "edmund/core/error.h"

#include <algorithm>
#include <regex>
#include <sstream>

namespace edmund::testing {
using nlohmann::json;
namespace {

template <typename T>
T choice(const json& settings, const char* key, std::initializer_list<std::pair<std::string, T>> known) {
  const auto name = settings.value(key, known.begin()->first);
  for (const auto& [word, value] : known)
    if (word == name) return value;
  fail("{} '{}' is unknown to this test", key, name);
}

}  // namespace

void require_keys(const json& settings, const std::vector<std::string>& known) {
  for (const auto& [key, value] : settings.items())
    require(std::find(known.begin(), known.end(), key) != known.end(), "setting '{}' is unknown to this test", key);
}

SongUNet::Config network_config(const json& settings) {
  const json& network = settings.at("network");
  require_keys(network, {"model_type", "attn_resolutions", "augment_dim", "channel_mult", "channel_mult_emb",
                         "channel_mult_noise", "dropout", "label_dropout", "embedding_type", "encoder_type",
                         "decoder_type", "model_channels", "num_blocks", "resample_filter"});
  SongUNet::Config c;
  require(network.value("model_type", "SongUNet") == "SongUNet", "network {} is unknown to this test", network.dump());
  require(network.value("label_dropout", 0.0) == 0.0 && network.value("augment_dim", 0) == 0,
          "label dropout and augmentation are not stored");
  c.resolution = settings.at("img_resolution");
  c.in_channels = c.out_channels = settings.at("img_channels");
  c.num_classes = settings.value("label_dim", 0);
  c.channels = network.value("model_channels", c.channels);
  c.multipliers = network.value("channel_mult", c.multipliers);
  c.embedding_multiplier = network.value("channel_mult_emb", c.embedding_multiplier);
  c.noise_multiplier = network.value("channel_mult_noise", c.noise_multiplier);
  c.blocks = network.value("num_blocks", c.blocks);
  c.attention = network.value("attn_resolutions", c.attention);
  c.dropout = network.value("dropout", c.dropout);
  require(c.dropout == 0.0, "dropout {}: the reference's random bits are not stored", c.dropout);
  using Net = SongUNet;
  c.embedding = choice<Net::Noise>(network, "embedding_type",
                                   {{"positional", Net::Noise::kPositional}, {"fourier", Net::Noise::kFourier}});
  c.encoder = choice<Net::Encoder>(
      network, "encoder_type",
      {{"standard", Net::Encoder::kStandard}, {"skip", Net::Encoder::kSkip}, {"residual", Net::Encoder::kResidual}});
  c.decoder = choice<Net::Decoder>(network, "decoder_type",
                                   {{"standard", Net::Decoder::kStandard}, {"skip", Net::Decoder::kSkip}});
  c.resample_filter = network.value("resample_filter", c.resample_filter);
  return c;
}

GoldenLoss::GoldenLoss(const json& settings) {
  const json given = settings.value("loss", json("EDMLoss defaults"));
  const std::string text = given.is_string() ? given.get<std::string>() : "EDMLoss " + given.dump();
  require(text.starts_with("EDMLoss"), "loss '{}' is unknown to this test", text);
  const auto read = [&](const char* key, double& value) {
    std::smatch found;
    if (std::regex_search(text, found, std::regex(std::string(key) + R"re([^0-9+.-]*([-+0-9.eE]+))re")))
      value = std::stod(found[1]);
  };
  read("P_mean", mean);
  read("P_std", std);
  read("sigma_data", sigma_data);
}

std::vector<std::string> parameter_order(const json& settings) {
  const auto text = settings.at("parameter_order").get<std::string>();
  std::istringstream words(text.substr(text.rfind(": ") + 2));
  std::vector<std::string> out;
  for (std::string word; std::getline(words >> std::ws, word, ',');) {
    require(word.starts_with(kWrapped), "parameter '{}': expected a name that starts with {}", word, kWrapped);
    out.push_back(word.substr(kWrapped.size()));
  }
  return out;
}

Injection::Injection(const std::string& notes) {
  std::smatch found;
  if (!std::regex_search(
          notes, found,
          std::regex(
              R"(in step (\d+) \(0-based\).*elements 0,1,2 of the flattened gradient of (\S+) are replaced by nan, \+inf, -inf)")))
    return;
  step = std::stoll(found[1]);
  parameter = found[2].str().substr(kWrapped.size());
}

}  // namespace edmund::testing
