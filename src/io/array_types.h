#pragma once

#include "edmund/archives/npy.h"
#include "edmund/core/tensor.h"

#include <string_view>

namespace edmund {

/// Type of an array's elements. Throws Error for what is no number (see NpzFile::array).
at::ScalarType type_of(const NpyHeader& header, std::string_view place);
/// The array, C-ordered, of the bytes behind its header.
Tensor array_from(const NpyHeader& header, std::string_view data, std::string_view place);

}  // namespace edmund
