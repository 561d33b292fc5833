#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Pickles made byte by byte (protocol 4).
namespace edmund::testing::pickles {

inline std::string little(std::uint64_t value, std::size_t bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}
inline std::string text(std::string_view content) { return "X" + little(content.size(), 4) + std::string(content); }
inline std::string integer(std::int32_t value) { return "J" + little(static_cast<std::uint32_t>(value), 4); }
inline std::string tuple(const std::vector<std::string>& items) {
  std::string out = "(";
  for (const auto& item : items) out += item;
  return out + "t";
}
inline std::string list(const std::vector<std::string>& items) {
  std::string out = "](";
  for (const auto& item : items) out += item;
  return out + "e";
}
/// {text: value, …}
inline std::string mapping(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string out = "}(";
  for (const auto& [key, value] : items) out += text(key) + value;
  return out + "u";
}
inline std::string global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}
inline std::string called(const std::string& callee, const std::vector<std::string>& arguments) {
  return callee + tuple(arguments) + "R";
}
inline std::string pickle(const std::string& content) { return "\x80\x04" + content + "."; }
inline std::string repeated(const std::string& part, std::size_t count) {
  std::string out;
  out.reserve(part.size() * count);
  for (std::size_t i = 0; i < count; ++i) out += part;
  return out;
}

/// A file of torch.save without an archive: `count` zero floats under the key "7".
inline std::string torch_storage(std::uint32_t count) {
  const std::string magic = std::string("\x80\x02\x8a\x0a") + "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19" + ".";
  const std::string id = tuple({text("storage"), global("torch", "FloatStorage"), text("7"), text("cpu"),
                                integer(static_cast<std::int32_t>(count)), "N"}) +
                         "Q";
  return magic + pickle("M\xe9\x03") + pickle("}") + pickle(id) + pickle(list({text("7")})) + little(count, 8) +
         std::string(std::size_t{4} * count, '\0');
}
inline std::string loaded(const std::string& bytes) {
  return called(global("torch.storage", "_load_from_bytes"), {"B" + little(bytes.size(), 4) + bytes});
}
/// A tensor of zeros with a storage of its own.
inline std::string tensor(const std::vector<std::int32_t>& sizes) {
  std::int32_t count = 1;
  std::vector<std::string> shape, strides;
  for (const auto size : sizes) count *= size;
  for (std::int32_t stride = count; const auto size : sizes) {
    stride /= size;
    shape.push_back(integer(size));
    strides.push_back(integer(stride));
  }
  return called(global("torch._utils", "_rebuild_tensor_v2"),
                {loaded(torch_storage(static_cast<std::uint32_t>(count))), integer(0), tuple(shape), tuple(strides),
                 "\x89", called(global("collections", "OrderedDict"), {})});
}
/// An object of NVlabs' persistence.
inline std::string persistent(const std::string& name, const std::string& state) {
  return called(
      global("torch_utils.persistence", "_reconstruct_persistent_obj"),
      {mapping(
          {{"type", text("class")}, {"class_name", text(name)}, {"module_src", text("raise")}, {"state", state}})});
}

}  // namespace edmund::testing::pickles
