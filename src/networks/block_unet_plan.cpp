#include "edmund/core/format.h"
#include "edmund/networks/block_unet.h"

#include <algorithm>
#include <string>

namespace edmund {
namespace {

using Config = BlockUNet::Config;
using Block = BlockUNet::Block;
using Problem = BlockUNet::Problem;
using Attention = BlockUNet::Attention;
using Resample = BlockUNet::Resample;

bool splits(std::int64_t channels, std::int64_t groups) {
  const std::int64_t used = groups > 0 ? groups : std::min<std::int64_t>(32, channels / 4);
  return used > 0 && channels % used == 0;
}

std::optional<Problem> block_problem(const Block& block, const std::string& name) {
  const auto wrong = [&](std::string_view key, const std::string& reason) {
    return Problem{name, format("{}: {}", key, reason)};
  };
  if (block.channels < 1) return wrong("channels", "at least 1 is needed");
  if (block.layers == 0) return std::nullopt;
  if (!splits(block.channels, block.groups))
    return wrong("groups", format("{} channels do not split into {} equal groups", block.channels, block.groups));
  if (block.attention == Attention::kNone) return std::nullopt;
  if (block.channels % block.heads != 0)
    return wrong("heads", format("{} channels do not split into {} heads", block.channels, block.heads));
  if (const auto groups = block.groups_attention.value_or(block.groups);
      block.groups_attention != 0 && !splits(block.channels, groups))
    return wrong("groups_attention", format("{} channels do not split into {} equal groups", block.channels, groups));
  return std::nullopt;
}

std::optional<Problem> filter_problem(const Block& block, const std::string& name) {
  double sum = 0.0;
  for (const double tap : block.filter) sum += tap;
  if (block.filter.empty() || block.filter.size() % 2 != 0)
    return Problem{name, format("filter: an even number of taps expected, found {}", block.filter.size())};
  if (sum == 0.0) return Problem{name, "filter: the taps sum to zero"};
  return std::nullopt;
}

// The image's way has no gaps.
std::optional<Problem> image_problem(const Config& c) {
  bool gap = false;
  for (std::size_t i = 0; i < c.down.size(); ++i) {
    const bool resamples = c.down[i].resample != Resample::kNone;
    if (resamples && c.down[i].image && gap)
      return Problem{"down", format("image: block {} has it, but one before it that resamples has not", i)};
    gap = gap || (resamples && !c.down[i].image);
  }
  bool begun = false;
  for (std::size_t i = 0; i < c.up.size(); ++i) {
    const bool resamples = c.up[i].resample != Resample::kNone;
    if (begun && (!c.up[i].image || c.up[i - 1].resample == Resample::kNone))
      return Problem{"up", format("image: block {} does not go on with what one before it began", i)};
    begun = begun || (c.up[i].image && resamples);
  }
  return std::nullopt;
}

}  // namespace

std::optional<BlockUNet::Joined> BlockUNet::joined(const Config& config, Problem& problem) {
  struct Skip {
    std::int64_t channels, level;
  };
  std::int64_t level = 0, now = config.down.back().channels;
  std::vector<Skip> skips{{config.down.front().channels, level}};
  for (const Block& block : config.down) {
    for (std::int64_t i = 0; i < block.layers; ++i) skips.push_back({block.channels, level});
    if (block.resample != Resample::kNone) skips.push_back({block.channels, ++level});
  }
  Joined out;
  for (const Block& block : config.up) {
    auto& inputs = out.emplace_back();
    for (std::int64_t i = 0; i < block.layers; ++i) {
      if (skips.empty() || skips.back().level != level) {
        problem = {"up", format("layer {} of block {} finds no result of the way down at its resolution: each layer "
                                "takes one, from the last back to the first convolution's",
                                i, out.size() - 1)};
        return std::nullopt;
      }
      inputs.push_back(now + skips.back().channels);
      skips.pop_back();
      now = block.channels;
    }
    if (block.resample != Resample::kNone) --level;
  }
  if (skips.empty() && level == 0) return out;
  problem = {"up", format("{} results of the way down are left over, {} doublings are missing", skips.size(), level)};
  return std::nullopt;
}

std::optional<BlockUNet::Problem> BlockUNet::problem(const Config& c) {
  if (c.down.empty() || c.up.empty()) return Problem{c.down.empty() ? "down" : "up", "a list of blocks is needed"};
  std::int64_t halvings = 0;
  for (const Block& block : c.down) halvings += block.resample != Resample::kNone;
  if (halvings > 20 || c.image.height % (std::int64_t{1} << halvings) != 0 ||
      c.image.width % (std::int64_t{1} << halvings) != 0)
    return Problem{"down",
                   format("images of {}×{} cannot be halved {} times", c.image.height, c.image.width, halvings)};
  for (const auto* const list : {&c.down, &c.up})
    for (std::size_t i = 0; i < list->size(); ++i) {
      const std::string name = list == &c.down ? "down" : "up";
      const Block& block = (*list)[i];
      auto found = block_problem(block, name);
      if (!found && block.resample != Resample::kNone) found = filter_problem(block, name);
      if (found) return Problem{found->option, format("block {}: {}", i, found->reason)};
    }
  if (const auto found = block_problem(c.mid, "mid")) return found;
  Problem found;
  const auto inputs = joined(c, found);
  if (!inputs) return found;
  for (std::size_t i = 0; i < inputs->size(); ++i)
    for (const std::int64_t in : (*inputs)[i])
      if (const std::int64_t groups = c.up[i].groups_in > 0 ? c.up[i].groups_in : c.up[i].groups; !splits(in, groups))
        return Problem{"up",
                       format("block {}: groups: {} channels of a layer, with those of the way down, do not split "
                              "into {} equal groups",
                              i, in, groups)};
  std::int64_t before = c.down.front().channels;
  for (std::size_t i = 0; i < c.down.size(); before = c.down[i++].channels)
    if (const std::int64_t groups = c.down[i].groups_in > 0 ? c.down[i].groups_in : c.down[i].groups;
        !splits(before, groups) || !splits(c.down[i].channels, groups))
      return Problem{"down", format("block {}: groups_in: {} and {} channels do not split into {} equal groups", i,
                                    before, c.down[i].channels, groups)};
  if (!splits(c.up.back().channels, c.groups))
    return Problem{"groups", format("the last {} channels do not split into {}", c.up.back().channels, c.groups)};
  if (const auto image = image_problem(c)) return image;
  if (c.num_classes > 0 && c.classes == ClassMap::Kind::kIdentity && c.num_classes != c.embedding)
    return Problem{"classes", format("identity takes labels as wide as the embedding, {}; there are {} classes",
                                     c.embedding, c.num_classes)};
  if (c.dropout > 0 && c.activation != Activation::kSilu && c.activation != Activation::kRelu)
    return Problem{"dropout", "is there after silu and relu only"};
  return std::nullopt;
}

BlockUNet::Config BlockUNet::canonical(Config c) {
  const auto settle = [](Block& block, bool down) {
    const Block usual;
    if (block.layers == 0) block = {.channels = block.channels, .layers = 0};
    if (block.attention == Attention::kNone) block.heads = 1, block.groups_attention.reset();
    if (block.attention != Attention::kNone && !block.groups_attention) block.groups_attention = block.groups;
    if (block.groups_in == 0) block.groups_in = block.groups;
    if (block.resample != Resample::kConv || !down) block.padding = usual.padding;
    if (block.resample != Resample::kResidual && !block.image) block.filter = usual.filter;
    if (down && block.resample == Resample::kNone) block.image = false, block.filter = usual.filter;
  };
  for (Block& block : c.down) settle(block, /*down=*/true);
  for (Block& block : c.up) settle(block, /*down=*/false);
  settle(c.mid, /*down=*/true);
  if (c.num_classes == 0) c.classes = ClassMap::Kind::kTable;
  const NoiseMap::Config usual;
  if (c.noise.kind != NoiseMap::Kind::kPositional) c.noise.shift = usual.shift;
  if (c.noise.kind != NoiseMap::Kind::kFourier) c.noise.scale = usual.scale;
  if (c.noise.kind != NoiseMap::Kind::kTable) c.noise.rows = usual.rows;
  if (c.noise.kind == NoiseMap::Kind::kTable) c.noise.order = usual.order;
  return c;
}

std::vector<std::string> BlockUNet::description() const {
  const auto& c = config_;
  std::int64_t height = c.image.height, width = c.image.width;
  const auto line = [&](const std::string& name, const Block& block, std::string_view next) {
    constexpr std::string_view kAttention[] = {"", ", attention after each", ", attention after the first",
                                               ", attention after the last"};
    constexpr std::string_view kResample[] = {"", " by a convolution", " in a residual block"};
    std::string out = format("{}: {}×{}×{}, {} residual blocks{}", name, block.channels, height, width, block.layers,
                             kAttention[static_cast<std::size_t>(block.attention)]);
    if (block.attention != Attention::kNone) out += format(" ({} heads)", block.heads);
    if (block.resample != Resample::kNone)
      out += format("; then {}{}", next, kResample[static_cast<std::size_t>(block.resample)]);
    return block.image ? out + "; the image beside it" : out;
  };
  std::vector<std::string> out;
  for (std::size_t i = 0; i < c.down.size(); ++i) {
    out.push_back(line(format("down {}", i), c.down[i], "halved"));
    if (c.down[i].resample != Resample::kNone) height /= 2, width /= 2;
  }
  if (c.mid.layers > 0) out.push_back(line("mid", c.mid, ""));
  for (std::size_t i = 0; i < c.up.size(); ++i) {
    out.push_back(line(format("up {}", i), c.up[i], "doubled"));
    if (c.up[i].resample != Resample::kNone) height *= 2, width *= 2;
  }
  return out;
}

}  // namespace edmund
