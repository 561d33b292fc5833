#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund {

/// Content of a safetensors file: tensors by name (on the CPU, each with its own memory) and the
/// text metadata.
struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;

  /// Tensor of that name. Throws Error naming `file` and the nearest known name.
  const Tensor& at(std::string_view name) const;
  std::string file;  // for messages
};

/// Reads F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL. Every length, offset, overlap and name is checked
/// before memory is taken; throws Error naming the file and what is wrong. No code is ever loaded.
TensorFile read_tensors(const std::filesystem::path& path);
TensorFile parse_tensors(std::string_view bytes, std::string_view name);

/// The bytes of a safetensors file: the data starts at a multiple of 8 bytes, tensors lie without
/// gaps, those of wider elements first and then by name, so that each is aligned to its elements.
std::string tensor_bytes(const std::vector<std::pair<std::string, Tensor>>& tensors,
                         const std::map<std::string, std::string>& metadata = {});

/// Writes a safetensors file with one float32 tensor of this shape, whose parts along the first
/// dimension `next` gives one after the other: its memory is that of a part. Written aside and
/// renamed. Throws Error naming the file if the disk does not take it.
void write_joined_tensor(const std::filesystem::path& path, const std::string& name,
                         const std::vector<std::int64_t>& shape, const std::map<std::string, std::string>& metadata,
                         const std::function<Tensor()>& next);

}  // namespace edmund
