#pragma once

#include "edmund/core/options.h"

#include <span>
#include <string_view>

namespace edmund {

/// A `sampling:` mapping as a paper or its code has it.
struct Preset {
  std::string_view name, about, source;
  std::string_view yaml;
};

std::span<const Preset> preset_table();

/// Reads `preset` (default none) of a `sampling:` mapping and lays what it names below the
/// mapping's own keys.
void apply_preset(Options& sampling);

}  // namespace edmund
