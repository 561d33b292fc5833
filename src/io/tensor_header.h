#pragma once

#include <c10/core/ScalarType.h>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// One tensor as the header of a safetensors file describes it: bytes [begin, end) of the data.
struct TensorRecord {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;
};

struct TensorHeader {
  std::vector<TensorRecord> records;  // in the order of their bytes
  std::map<std::string, std::string> metadata;
};

/// Reads and checks a header for `data_size` bytes of data: well-formed JSON, no name twice, known
/// dtypes, shapes that give the stated number of bytes, and bytes that cover the data without gap
/// or overlap. Throws Error that starts with `file`.
TensorHeader parse_header(std::string_view json, std::uint64_t data_size, std::string_view file);

/// "F32", …; and back (undefined for others).
std::string_view dtype_name(at::ScalarType dtype);

}  // namespace edmund
