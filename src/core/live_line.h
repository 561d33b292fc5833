#pragma once

#include <string_view>

namespace edmund::log {

/// Shows `line` as the last line of the terminal, in place of the one before; log lines go above
/// it. Empty: no such line any more.
void set_live_line(std::string_view line);
/// Leaves the live line as it stands and goes on below it.
void end_live_line();

}  // namespace edmund::log
