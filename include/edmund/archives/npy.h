#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// What the header of a .npy file says (NumPy Enhancement Proposal 1).
struct NpyHeader {
  std::string descr;  // "<f8", "|u1", "|S12", …
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::size_t data_begin = 0;  // bytes before the data
};

/// Longest header that is read, in bytes.
inline constexpr std::size_t kNpyHeaderLimit = 4096;

/// Reads the header at the start of `bytes`. Throws Error that starts with `place`.
NpyHeader npy_header(std::string_view bytes, std::string_view place);
/// Number of elements. Throws Error if it is beyond 2⁴⁰.
std::uint64_t element_count(const NpyHeader& header, std::string_view place);
/// A .npy file's bytes up to the data, padded to a multiple of 64 bytes.
std::string npy_header_bytes(std::string_view descr, const std::vector<std::int64_t>& shape);

}  // namespace edmund
