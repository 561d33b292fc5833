#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

namespace edmund {

/// A file from its begin to its end, decompressed where it is a .gz (one or several streams behind
/// each other). More than 64 MB are read only of files of at least a 128th of that: images come to
/// a fifth or tenth, a hundredth is a trap. Thread-unsafe.
class GzipReader {
 public:
  /// Throws Error if it is missing, no regular file or unreadable.
  explicit GzipReader(const std::filesystem::path& path);
  ~GzipReader();
  GzipReader(GzipReader&&) noexcept;

  bool is_compressed() const;
  /// The next bytes: `size` of them, or fewer at the end. Throws Error for data that is damaged,
  /// cut short, followed by other bytes or far larger than its file.
  std::size_t read(char* to, std::size_t size);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace edmund
