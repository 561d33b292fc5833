#include "adm_plan.h"

#include "edmund/core/format.h"

#include <algorithm>

namespace edmund::adm {

Plan plan_of(const Config& c) {
  Plan plan;
  const auto at = [&](std::size_t level, const std::string& rest) {
    return format("{}x{}_{}", c.image.height >> level, c.image.width >> level, rest);
  };
  const auto attends = [&](std::size_t level) {
    return std::ranges::find(c.attention, c.image.height >> level) != c.attention.end();
  };
  const auto between = c.resampling == Resampling::kBlock ? Part::Role::kBlock : Part::Role::kResample;
  const std::size_t levels = c.multipliers.size();
  std::int64_t now = c.first();
  for (std::size_t level = 0; level < levels; ++level) {
    if (level == 0) {
      plan.encoder.push_back({.name = at(0, "conv"), .role = Part::Role::kConv, .in = c.image.channels, .out = now});
    } else {
      plan.encoder.push_back({.name = at(level, "down"), .role = between, .in = now, .out = now, .down = true});
    }
    for (std::int64_t i = 0; i < c.blocks; ++i) {
      const std::int64_t out = c.width(c.multipliers[level]);
      plan.encoder.push_back(
          {.name = at(level, format("block{}", i)), .in = now, .out = out, .attention = attends(level)});
      now = out;
    }
  }
  std::size_t handed = plan.encoder.size();
  for (std::size_t level = levels; level-- > 0;) {
    if (level + 1 == levels) {
      plan.decoder.push_back({.name = at(level, "in0"), .in = now, .out = now, .attention = true});
      plan.decoder.push_back({.name = at(level, "in1"), .in = now, .out = now});
    } else {
      plan.decoder.push_back({.name = at(level, "up"), .role = between, .in = now, .out = now, .up = true});
    }
    for (std::int64_t i = 0; i <= c.blocks; ++i) {
      const std::int64_t in = now + plan.encoder[--handed].out;
      now = c.width(c.multipliers[level]);
      plan.decoder.push_back(
          {.name = at(level, format("block{}", i)), .in = in, .out = now, .attention = attends(level), .joins = true});
    }
  }
  return plan;
}

std::optional<Problem> problem(const Config& c) {
  const auto levels = static_cast<std::int64_t>(c.multipliers.size());
  if (levels == 0) return Problem{"multipliers", "expected one for each resolution, found none"};
  if (levels > 16 || c.image.height % (1 << (levels - 1)) != 0 || c.image.width % (1 << (levels - 1)) != 0)
    return Problem{"multipliers",
                   format("images of {}x{} cannot be halved {} times", c.image.height, c.image.width, levels - 1)};
  if (c.channels % 2 != 0) return Problem{"channels", format("expected an even number, found {}", c.channels)};
  std::vector<double> all = c.multipliers;
  if (c.first_multiplier > 0) all.push_back(c.first_multiplier);
  for (const double multiplier : all)
    if (const double width = static_cast<double>(c.channels) * multiplier; width < 1 || width != std::round(width))
      return Problem{"multipliers",
                     format("{} times {} channels is no whole number of channels", multiplier, c.channels)};
  const Plan plan = plan_of(c);
  for (const auto* parts : {&plan.encoder, &plan.decoder})
    for (const auto& part : *parts) {
      if (part.role != Part::Role::kBlock) continue;
      for (const std::int64_t C : {part.in, part.out})
        if (const std::int64_t groups = c.groups > 0 ? c.groups : std::min<std::int64_t>(32, C / 4);
            groups == 0 || C % groups != 0)
          return Problem{c.groups > 0 ? "groups" : "channels",
                         format("layer {} has {} channels, which do not split into {} equal groups", part.name, C,
                                c.groups > 0 ? std::to_string(groups) : "min(32, channels/4)")};
      if (const std::int64_t heads = c.heads_of(part.out); part.attention && heads > 0 && part.out % heads != 0)
        return Problem{
            c.heads > 0 ? "heads" : "channels_per_head",
            format("layer {} has {} channels, which do not split into {} heads", part.name, part.out, heads)};
    }
  return std::nullopt;
}

}  // namespace edmund::adm
