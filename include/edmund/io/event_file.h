#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace edmund {

/// TensorBoard event file: TFRecord frames (length, masked CRC32C) of Event messages, by our own
/// encoder, a whole record at a time. What the disk does not take waits for flush().
class EventFile {
 public:
  /// A new file in the folder, or, where `bytes` is above 0, the newest of ours there cut to so
  /// many bytes: as it was at a checkpoint. Throws DiskError if it cannot be made.
  explicit EventFile(const std::filesystem::path& folder, std::int64_t bytes = 0);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  void scalar(std::string_view tag, double value, std::int64_t step);
  /// `png`: the encoded bytes; channels 1, 3 or 4.
  void image(std::string_view tag, std::string_view png, std::int64_t width, std::int64_t height, std::int64_t channels,
             std::int64_t step);

  /// Writes what waits, and for sync() to the disk itself. Throws DiskError.
  void flush();
  void sync();

  const std::filesystem::path& path() const;
  /// How long the file is.
  std::int64_t bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Deletes all event files of ours in the folder: a run that begins anew has no earlier events.
void delete_event_files(const std::filesystem::path& folder);

/// CRC-32C (Castagnoli) of the bytes.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace edmund
