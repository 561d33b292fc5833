#pragma once

#include <filesystem>
#include <string_view>

namespace edmund {

/// A library of ours by its file's name, as it lies beside the running program: in its folder, or
/// in the library folder of the place where both are installed. Empty if it is in neither.
std::filesystem::path beside_program(std::string_view name);

}  // namespace edmund
