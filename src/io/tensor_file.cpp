#include "edmund/io/tensor_file.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "tensor_header.h"

#include <algorithm>
#include <ATen/ops/empty.h>
#include <cstring>

namespace edmund {
namespace {

constexpr std::uint64_t kHeaderLimit = 100'000'000;           // as the safetensors format has it
constexpr std::uint64_t kFileLimit = std::uint64_t{1} << 36;  // bytes

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  return value;
}

}  // namespace

const Tensor& TensorFile::at(std::string_view name) const {
  const auto found = tensors.find(std::string(name));
  if (found != tensors.end()) return found->second;
  std::vector<std::string_view> known;
  for (const auto& [other, tensor] : tensors) known.push_back(other);
  const auto nearest = nearest_name(name, known);
  fail("{}: no tensor '{}'{}", file, name, nearest ? "; did you mean '" + *nearest + "'?" : "");
}

TensorFile parse_tensors(std::string_view bytes, std::string_view name) {
  require(bytes.size() >= 8, "{}: {} bytes are too few for a safetensors file", name, bytes.size());
  const std::uint64_t length = little_endian(bytes);
  require(length <= kHeaderLimit, "{}: not a safetensors file (a header of {} bytes)", name, length);
  require(length <= bytes.size() - 8, "{}: the header should have {} bytes, the file ends after {} (truncated?)", name,
          length, bytes.size() - 8);
  const std::string_view data = bytes.substr(8 + length);
  auto header = parse_header(bytes.substr(8, length), data.size(), name);

  TensorFile out;
  out.file = name;
  out.metadata = std::move(header.metadata);
  for (const auto& record : header.records) {
    const auto content = data.substr(record.begin, record.end - record.begin);
    if (record.dtype == at::kBool)
      require(std::all_of(content.begin(), content.end(), [](char c) { return c == 0 || c == 1; }),
              "{}: tensor '{}' has truth values other than 0 and 1", name, record.name);
    Tensor tensor = at::empty(record.shape, record.dtype);
    if (!content.empty()) std::memcpy(tensor.data_ptr(), content.data(), content.size());
    out.tensors.emplace(record.name, std::move(tensor));
  }
  return out;
}

TensorFile read_tensors(const std::filesystem::path& path) {
  return parse_tensors(read_file(path, kFileLimit), path.string());
}

}  // namespace edmund
