#pragma once

#include <string>

namespace edmund::testing {

/// EXIF data (a TIFF directory of two entries) that gives this orientation, big- or little-endian.
inline std::string exif_bytes(int orientation, bool big = true) {
  const auto number = [&](unsigned value, int size) {
    std::string out;
    for (int i = 0; i < size; ++i) out += static_cast<char>(value >> 8 * (big ? size - 1 - i : i) & 0xFF);
    return out;
  };
  const auto entry = [&](unsigned tag, unsigned value) {
    // one short
    return number(tag, 2) + number(3, 2) + number(1, 4) + number(value, 2) + number(0, 2);
  };
  return (big ? "MM" : "II") + number(42, 2) + number(8, 4) + number(2, 2) + entry(0x0100, 640) +
         entry(0x0112, static_cast<unsigned>(orientation)) + number(0, 4);
}

/// A JPEG with this EXIF data behind its first two bytes.
inline std::string with_exif(const std::string& jpeg, const std::string& exif) {
  const std::string body = std::string("Exif\0\0", 6) + exif;
  const auto length = body.size() + 2;
  return jpeg.substr(0, 2) + "\xff\xe1" + static_cast<char>(length / 256) + static_cast<char>(length % 256) + body +
         jpeg.substr(2);
}

}  // namespace edmund::testing
