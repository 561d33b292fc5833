#pragma once

#include "edmund/networks/network.h"
#include "edmund/networks/unet_block.h"

#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// The settings of `adm`, and which modules they make.
namespace edmund::adm {

enum class Resampling { kBlock, kConv, kPool };

struct Config {
  ImageShape image;
  std::int64_t out_channels = 3, num_classes = 0, augment_labels = 0;
  std::int64_t channels = 192;
  std::vector<double> multipliers = {1, 2, 3, 4};
  double first_multiplier = 0;
  std::int64_t embedding_multiplier = 4, blocks = 3;
  std::vector<std::int64_t> attention = {32, 16, 8};
  std::int64_t heads = 0;  // 0: by channels_per_head
  std::int64_t channels_per_head = 64;
  double dropout = 0.1;
  bool scale_shift = true;
  Resampling resampling = Resampling::kBlock;
  std::int64_t groups = 0;
  bool label_mlp = false;

  std::int64_t width(double multiplier) const { return std::lround(static_cast<double>(channels) * multiplier); }
  std::int64_t first() const { return width(first_multiplier > 0 ? first_multiplier : multipliers.front()); }
  std::int64_t embedding() const { return channels * embedding_multiplier; }
  std::int64_t heads_of(std::int64_t C) const { return heads > 0 ? heads : C / channels_per_head; }
};

/// One module of encoder or decoder, in the order of evaluation.
struct Part {
  enum class Role { kConv, kBlock, kResample };

  std::string name;
  Role role = Role::kBlock;
  std::int64_t in = 0, out = 0;
  bool up = false, down = false, attention = false;
  bool joins = false;  // takes what the encoder hands over
  std::shared_ptr<UNetBlock> block = nullptr;
  std::shared_ptr<Conv2d> conv = nullptr;
};

struct Plan {
  std::vector<Part> encoder, decoder;
};

/// The modules under NVlabs/edm's names, not built yet.
Plan plan_of(const Config& config);

/// Why such a network cannot be built: the option to blame and the reason.
struct Problem {
  std::string option, reason;
};
std::optional<Problem> problem(const Config& config);

}  // namespace edmund::adm
