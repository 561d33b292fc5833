#pragma once

#include <cstdint>
#include <string>

namespace edmund {

/// What tells one set of images from another, in few bytes and without decoding any: how many there
/// are, a checksum over their names and contents in their order, and one over their classes. Where
/// a folder lies does not count, nor do dates. Content is the pixels of data in memory, the CRC-32
/// and size of entries of a zip archive, and the size, the first 1024 and the last 256 bytes of
/// files.
struct DataFingerprint {
  std::int64_t images = 0;  // 0: not known
  std::string content, labels;

  bool operator==(const DataFingerprint&) const = default;
};

/// How the second differs from the first, for a message: "24 images there, 20 here"; empty if not.
std::string difference(const DataFingerprint& there, const DataFingerprint& here);

}  // namespace edmund
