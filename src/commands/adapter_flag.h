#pragma once

#include "edmund/commands/command.h"

namespace edmund {

/// Adds --adapter FILE[:STRENGTH], which may stand several times: entries of `adapters` in the
/// target's overrides. To be called after add_target().
void add_adapters(CLI::App& arguments, Target& target);

}  // namespace edmund
