#include "edmund/core/error.h"
#include "edmund/core/json_text.h"
#include "edmund/io/tensor_file.h"
#include "tensor_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

namespace edmund {

std::string tensor_bytes(const std::vector<std::pair<std::string, Tensor>>& tensors,
                         const std::map<std::string, std::string>& metadata) {
  auto sorted = tensors;
  const auto before = [](const auto& a, const auto& b) {
    return std::tuple(-static_cast<std::int64_t>(a.second.element_size()), a.first) <
           std::tuple(-static_cast<std::int64_t>(b.second.element_size()), b.first);
  };
  std::sort(sorted.begin(), sorted.end(), before);

  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t at = 0;
  for (const auto& [name, tensor] : sorted) {
    require(!name.empty() && !header.contains(name), "cannot write two tensors (or none) of the name '{}'", name);
    const auto dtype = dtype_name(tensor.scalar_type());
    require(!dtype.empty(), "cannot write tensor '{}': safetensors has no type for it", name);
    const std::uint64_t end = at + static_cast<std::uint64_t>(tensor.nbytes());
    header[name] = {{"dtype", dtype}, {"shape", tensor.sizes().vec()}, {"data_offsets", {at, end}}};
    at = end;
  }
  std::string text = json_text(header);
  text.append((8 - text.size() % 8) % 8, ' ');

  std::string out;
  out.reserve(8 + text.size() + at);
  for (int i = 0; i < 8; ++i) out += static_cast<char>(static_cast<std::uint64_t>(text.size()) >> (8 * i) & 0xff);
  out += text;
  for (const auto& [name, tensor] : sorted) {
    const Tensor plain = tensor.detach().cpu().contiguous();
    out.append(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes());
  }
  return out;
}

}  // namespace edmund
