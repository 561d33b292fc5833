#pragma once

#include "edmund/data/image_source.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// PNG and JPEG images that are decoded when they are asked for.
struct EncodedFiles {
  std::string place;               // folder or archive
  std::vector<std::string> names;  // relative to it, sorted
  /// The first `limit` bytes of an entry, or all if it has no more. Thread-safe.
  std::function<std::string(std::int64_t index, std::uint64_t limit)> bytes;
};

/// Whether the name ends in .png, .jpg or .jpeg, in whatever case.
bool is_image_name(std::string_view name);

/// Images below a folder, links followed, hidden files left out; a warning counts files that are no
/// images. `data` is not counted.
EncodedFiles files_below(const std::filesystem::path& root, std::string_view data = "");

/// Reads every header and answers the images, without labels.
ImageSource encoded(EncodedFiles files);

}  // namespace edmund
