#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace edmund {

/// TensorBoard event file: TFRecord frames (length, masked CRC32C) of Event messages, by our own
/// encoder. Each object writes a file of its own in the folder (TensorBoard joins them), a whole
/// record at a time. Throws Error if the disk does not take it.
class EventFile {
 public:
  explicit EventFile(const std::filesystem::path& folder);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  void scalar(std::string_view tag, double value, std::int64_t step);
  /// `png`: the encoded bytes; channels 1, 3 or 4.
  void image(std::string_view tag, std::string_view png, std::int64_t width, std::int64_t height, std::int64_t channels,
             std::int64_t step);

  const std::filesystem::path& path() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// CRC-32C (Castagnoli) of the bytes.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace edmund
