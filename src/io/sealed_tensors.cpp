#include "edmund/io/sealed_tensors.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/sealed_json.h"

#include <algorithm>

namespace edmund {
namespace {

constexpr const char* kSeal = "xxhash64";

std::string seal_of(const std::vector<std::pair<std::string, Tensor>>& tensors,
                    const std::map<std::string, std::string>& metadata) {
  return checksum(tensor_bytes(tensors, metadata));
}

}  // namespace

std::string seal_damage(const TensorFile& file) {
  auto metadata = file.metadata;
  const auto seal = metadata.find(kSeal);
  if (seal == metadata.end())
    return std::ranges::any_of(metadata, [](const auto& entry) { return looks_like_checksum(entry.second); })
               ? "its checksum is missing"
               : "";
  const std::string expected = seal->second;
  metadata.erase(seal);
  return seal_of({file.tensors.begin(), file.tensors.end()}, metadata) == expected ? "" : "its checksum does not match";
}

std::string sealed_tensor_bytes(const std::vector<std::pair<std::string, Tensor>>& tensors,
                                std::map<std::string, std::string> metadata) {
  metadata[kSeal] = seal_of(tensors, metadata);
  return tensor_bytes(tensors, metadata);
}

std::optional<TensorFile> sealed_tensors(const std::filesystem::path& file, std::string_view instead) {
  if (!std::filesystem::exists(file)) return std::nullopt;
  std::string damage;
  try {
    TensorFile found = read_tensors(file);
    damage = seal_damage(found);
    if (damage.empty()) return found;
    damage = format("{}: damaged: {}", file, damage);
  } catch (const Error& error) {  // it names the file
    damage = error.what();
  }
  log::warn("{}; {}", damage, instead);
  return std::nullopt;
}

}  // namespace edmund
