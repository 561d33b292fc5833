#pragma once

#include "state_file.h"

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

namespace edmund {

/// What shapes do not tell of OpenAI's attention.
struct HeadOrder {
  std::int64_t heads = 0, channels_per_head = 0;  // one of them; the other is 0
  /// Channels of qkv are [q, k, v][head][channel] ("new" order); else [head][q, k, v][channel].
  bool qkv_first = false;
};

/// The architecture of a UNetModel, found from the names and shapes of its weights, and these as
/// `adm` names them. All throw Error, which begins with the file.
class OpenaiUNet {
 public:
  explicit OpenaiUNet(StateFile& state);

  std::int64_t channels() const { return channels_; }
  std::int64_t in_channels() const { return in_; }
  std::int64_t classes() const { return classes_; }
  const std::vector<double>& multipliers() const { return multipliers_; }

  /// `network:` of the config.
  nlohmann::ordered_json config(std::int64_t height, const HeadOrder& heads) const;
  /// Takes all weights.
  NamedTensors weights(std::int64_t height, std::int64_t width, const HeadOrder& heads);

 private:
  enum class Resampling { kBlock, kConv, kPool };

  void find_levels();
  void find_widths();
  std::string input(std::int64_t level, std::int64_t block) const;
  std::string output(std::int64_t level, std::int64_t block) const;

  StateFile& state_;
  std::int64_t channels_ = 0, embedding_ = 0, in_ = 0, out_ = 0, first_ = 0, classes_ = 0;
  bool label_mlp_ = false, scale_shift_ = false;
  Resampling resampling_ = Resampling::kBlock;
  std::int64_t levels_ = 0, blocks_ = 0;
  std::vector<double> multipliers_;
  std::set<std::int64_t> attention_;  // levels
};

}  // namespace edmund
