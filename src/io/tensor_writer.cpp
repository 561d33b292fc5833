#include "edmund/core/error.h"
#include "edmund/core/grown_file.h"
#include "edmund/core/json_text.h"
#include "edmund/io/tensor_file.h"
#include "tensor_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>

namespace edmund {
namespace {

// Length and text of the header, in front of so many bytes of data.
std::string header_bytes(const nlohmann::json& header, std::uint64_t data) {
  std::string text = json_text(header);
  text.append((8 - text.size() % 8) % 8, ' ');
  std::string out;
  out.reserve(8 + text.size() + data);
  for (int i = 0; i < 8; ++i) out += static_cast<char>(static_cast<std::uint64_t>(text.size()) >> (8 * i) & 0xff);
  return out += text;
}

}  // namespace

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
  std::string out = header_bytes(header, at);
  for (const auto& [name, tensor] : sorted) {
    const Tensor plain = tensor.detach().cpu().contiguous();
    out.append(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes());
  }
  return out;
}

void write_joined_tensor(const std::filesystem::path& path, const std::string& name,
                         const std::vector<std::int64_t>& shape, const std::map<std::string, std::string>& metadata,
                         const std::function<Tensor()>& next) {
  std::uint64_t left = sizeof(float);
  for (const std::int64_t size : shape) left *= static_cast<std::uint64_t>(size);
  nlohmann::json header = {{name, {{"dtype", "F32"}, {"shape", shape}, {"data_offsets", {0, left}}}}};
  if (!metadata.empty()) header["__metadata__"] = metadata;

  GrownFile file(path);
  file.append(header_bytes(header, 0));
  while (left > 0) {
    const Tensor part = next().to(at::kCPU, at::kFloat).contiguous();
    TORCH_CHECK(part.nbytes() > 0 && part.nbytes() <= left, "parts do not fill the tensor");
    file.append({static_cast<const char*>(part.const_data_ptr()), part.nbytes()});
    left -= part.nbytes();
  }
  file.finish();
}

}  // namespace edmund
