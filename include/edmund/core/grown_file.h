#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace edmund {

/// A file that is written part by part, for what memory should not hold: it lies aside until it is
/// whole, then gets its name, as with write_file().
class GrownFile {
 public:
  /// Aside in the same folder; taken away if it is not finished. Creates the folder. Throws Error
  /// if `to` is no name of a file, DiskError with the system's reason, as all here.
  explicit GrownFile(std::filesystem::path to);
  /// Lies at `aside` and stays there if it is not finished, to be gone on with.
  GrownFile(std::filesystem::path to, std::filesystem::path aside);
  ~GrownFile();
  GrownFile(const GrownFile&) = delete;
  GrownFile& operator=(const GrownFile&) = delete;

  const std::filesystem::path& aside() const { return aside_; }
  std::uint64_t bytes() const { return bytes_; }
  void append(std::string_view bytes);
  /// In place of as many that were appended there.
  void overwrite(std::uint64_t offset, std::string_view bytes);
  /// The first `bytes` stay, of all that lies there.
  void cut(std::uint64_t bytes);
  /// Syncs it and gives it its name, in place of the file that has it.
  void finish();

 private:
  std::filesystem::path to_, aside_;
  std::uint64_t bytes_ = 0;
  bool is_swept_;  // if it is not finished
};

}  // namespace edmund
