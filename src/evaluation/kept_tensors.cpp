#include "kept_tensors.h"

#include "edmund/core/files.h"
#include "edmund/core/format.h"
#include "edmund/core/log.h"

#include <algorithm>

namespace edmund {

void write_kept_tensors(const std::filesystem::path& file, std::string_view kind,
                        const std::vector<std::pair<std::string, Tensor>>& tensors,
                        const std::map<std::string, std::string>& metadata) {
  const std::string body = tensor_bytes(tensors, metadata);
  write_file(file, format("{} {}\n", kind, checksum(body)) + body);
}

std::optional<TensorFile> kept_tensors(const std::filesystem::path& file, std::string_view kind,
                                       std::string_view instead) {
  if (!std::filesystem::is_regular_file(file)) return std::nullopt;
  constexpr std::size_t kChecksum = 16;
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 36;  // bytes
  const std::string bytes = read_file(file, kLimit);
  const std::size_t begin = kind.size() + 1 + kChecksum + 1;
  const std::string_view body = std::string_view(bytes).substr(std::min(begin, bytes.size()));
  if (!bytes.starts_with(format("{} {}\n", kind, checksum(body)))) {
    log::warn("{}: damaged; {}", file, instead);
    return std::nullopt;
  }
  return parse_tensors(body, file.string());
}

}  // namespace edmund
