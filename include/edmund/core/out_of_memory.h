#pragma once

#include <exception>

namespace edmund {

/// Whether the exception says that memory could not be had: std::bad_alloc, or what LibTorch's
/// allocators, a GPU's and its libraries say of it.
bool is_out_of_memory(const std::exception& error);

}  // namespace edmund
