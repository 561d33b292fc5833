#include "edmund/core/format.h"
#include "edmund/networks/song_unet.h"

#include <algorithm>
#include <numeric>

namespace edmund {
namespace {

std::string at_resolution(std::int64_t resolution, const std::string& rest) {
  return format("{}x{}_{}", resolution, resolution, rest);
}

bool contains(const std::vector<std::int64_t>& list, std::int64_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

std::vector<SongUNet::Part> SongUNet::encoder_plan(const Config& config) {
  std::vector<Part> plan;
  std::int64_t now = config.channels, aux = config.in_channels;
  for (std::size_t level = 0; level < config.multipliers.size(); ++level) {
    const std::int64_t R = config.resolution >> level;
    if (level == 0) {
      plan.push_back({.role = Role::kConv, .name = at_resolution(R, "conv"), .in = config.in_channels, .out = now});
    } else {
      plan.push_back({.role = Role::kBlock, .name = at_resolution(R, "down"), .in = now, .out = now, .down = true});
      if (config.encoder == Encoder::kSkip) {
        plan.push_back(
            {.role = Role::kAuxDown, .name = at_resolution(R, "aux_down"), .in = aux, .out = aux, .down = true});
        plan.push_back({.role = Role::kAuxSkip, .name = at_resolution(R, "aux_skip"), .in = aux, .out = now});
      } else if (config.encoder == Encoder::kResidual) {
        plan.push_back({.role = Role::kAuxResidual,
                        .name = at_resolution(R, "aux_residual"),
                        .in = aux,
                        .out = now,
                        .down = true});
        aux = now;
      }
    }
    for (std::int64_t i = 0; i < config.blocks; ++i) {
      const std::int64_t next = config.channels * config.multipliers[level];
      plan.push_back({.role = Role::kBlock,
                      .name = at_resolution(R, format("block{}", i)),
                      .in = now,
                      .out = next,
                      .attention = contains(config.attention, R)});
      now = next;
    }
  }
  return plan;
}

std::vector<SongUNet::Part> SongUNet::decoder_plan(const Config& config, const std::vector<Part>& encoder) {
  std::vector<std::int64_t> skips;  // channels of what the encoder hands over
  for (const auto& part : encoder)
    if (part.role == Role::kConv || part.role == Role::kBlock) skips.push_back(part.out);

  std::vector<Part> plan;
  std::int64_t now = skips.back();
  const std::size_t levels = config.multipliers.size();
  for (std::size_t level = levels; level-- > 0;) {
    const std::int64_t R = config.resolution >> level;
    if (level + 1 == levels) {
      plan.push_back({.role = Role::kBlock, .name = at_resolution(R, "in0"), .in = now, .out = now, .attention = true});
      plan.push_back({.role = Role::kBlock, .name = at_resolution(R, "in1"), .in = now, .out = now});
    } else {
      plan.push_back({.role = Role::kBlock, .name = at_resolution(R, "up"), .in = now, .out = now, .up = true});
    }
    for (std::int64_t i = 0; i <= config.blocks; ++i) {
      const std::int64_t next = config.channels * config.multipliers[level];
      const bool attention = i == config.blocks && contains(config.attention, R);
      plan.push_back({.role = Role::kJoin,
                      .name = at_resolution(R, format("block{}", i)),
                      .in = now + skips.back(),
                      .out = next,
                      .attention = attention});
      skips.pop_back();
      now = next;
    }
    if (config.decoder == Decoder::kSkip && level + 1 < levels)
      plan.push_back({.role = Role::kAuxUp,
                      .name = at_resolution(R, "aux_up"),
                      .in = config.out_channels,
                      .out = config.out_channels,
                      .up = true});
    if (config.decoder == Decoder::kSkip || level == 0)
      plan.push_back({.role = Role::kAuxOut, .name = at_resolution(R, "aux"), .in = now, .out = config.out_channels});
  }
  return plan;
}

std::optional<SongUNet::Problem> SongUNet::problem(const Config& config) {
  const auto halvings = static_cast<std::int64_t>(config.multipliers.size()) - 1;
  if (halvings < 0 || halvings > 20)
    return Problem{"multipliers", format("1 to 21 resolutions expected, found {}", halvings + 1)};
  if (config.resolution % (std::int64_t{1} << halvings) != 0)
    return Problem{"multipliers",
                   format("images of {}×{} cannot be halved {} times", config.resolution, config.resolution, halvings)};
  if (config.resample_filter.empty() || config.resample_filter.size() % 2 != 0)
    return Problem{"resample_filter",
                   format("an even number of taps expected, found {}", config.resample_filter.size())};
  if (std::accumulate(config.resample_filter.begin(), config.resample_filter.end(), 0.0) == 0.0)
    return Problem{"resample_filter", "the taps sum to zero"};
  const std::int64_t noise = config.channels * config.noise_multiplier;
  if (noise % 2 != 0 || noise < 4)
    return Problem{"channels", format("channels·noise_multiplier must be even and at least 4, found {}", noise)};

  const auto encoder = encoder_plan(config);
  auto parts = decoder_plan(config, encoder);
  parts.insert(parts.end(), encoder.begin(), encoder.end());
  for (const auto& part : parts) {
    if (part.role != Role::kBlock && part.role != Role::kJoin && part.role != Role::kAuxOut) continue;
    for (const std::int64_t channels : {part.in, part.role == Role::kAuxOut ? part.in : part.out})
      if (const auto groups = std::min<std::int64_t>(32, channels / 4); groups == 0 || channels % groups != 0)
        return Problem{"channels",
                       format("layer {} has {} channels, which do not split into min(32, channels/4) equal groups",
                              part.name, channels)};
  }
  return std::nullopt;
}

}  // namespace edmund
