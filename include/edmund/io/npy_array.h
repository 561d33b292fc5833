#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// Bytes that hold the header of any .npy file that is read.
inline constexpr std::uint64_t kNpyHead = 4096;

/// What a .npy file holds, told by its first kNpyHead bytes (or all, if it has no more).
struct ArrayHeader {
  at::ScalarType type = at::kFloat;
  std::vector<std::int64_t> shape;
};
/// Throws Error that starts with `place` for what is no array of numbers: see NpzFile::array.
ArrayHeader array_header(std::string_view bytes, std::string_view place);

/// The array of a whole .npy file, C-ordered. Throws Error that starts with `place` if it is
/// damaged.
Tensor array_of(std::string_view bytes, std::string_view place);

/// The bytes of a .npy file up to its values.
std::string npy_head(at::ScalarType type, const std::vector<std::int64_t>& shape);
/// The bytes of a .npy file. The same values give the same bytes.
std::string npy_bytes(const Tensor& values);
/// Those of a single text, a byte string (S).
std::string npy_text(const std::string& text);

}  // namespace edmund
