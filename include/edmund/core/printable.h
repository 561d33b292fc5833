#pragma once

#include <string>
#include <string_view>

namespace edmund {

/// The text for a terminal, on which bytes of a file must do nothing but be seen: control
/// characters but for line ends and tabs as \x1b, those beyond ASCII as \u009b.
std::string printable(std::string_view text);

}  // namespace edmund
