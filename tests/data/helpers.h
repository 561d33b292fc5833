#pragma once

#include "edmund/core/options.h"
#include "edmund/data/dataset.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund::testing {

/// A temporary folder that goes with the object.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }
  /// Writes a file, with the folders above it, and answers its path.
  std::string write(std::string_view name, std::string_view bytes) const;

 private:
  std::filesystem::path path_;
};

/// Message of the Error that `act` throws; "" if it throws none. Other exceptions pass.
std::string error_of(const std::function<void()>& act);
bool contains(std::string_view text, std::string_view part);

/// Data set of a config in YAML. As in a run, an Error about a file is one mistake among others, which finish()
/// reports.
std::unique_ptr<Dataset> dataset_of(const std::string& yaml);
/// Image `i` alone, [C, H, W].
Tensor image_of(const Dataset& dataset, std::int64_t i);
std::vector<std::int64_t> labels_of(const Dataset& dataset);

/// A picture [channels, height, width] without symmetry, another one for each `number`.
Tensor picture(std::int64_t channels, std::int64_t height, std::int64_t width, std::int64_t number = 0);

std::string big_endian(std::int64_t value);
/// IDX header of unsigned bytes, followed by `data`.
std::string idx_bytes(const std::vector<std::int64_t>& sizes, std::string_view data);
std::string gzipped(std::string_view bytes);

/// A PNG chunk with its length and checksum.
std::string png_chunk(std::string_view type, std::string_view data);
/// PNG from its parts: IHDR of these numbers, `before` (further chunks), IDAT of the compressed `scanlines`, IEND.
std::string hand_made_png(std::int64_t width, std::int64_t height, int depth, int color, std::string_view scanlines,
                          std::string_view before = "", int interlace = 0);
/// JPEG of uint8 [C, H, W] at the best quality; `progressive` or baseline.
std::string jpeg_bytes(const Tensor& image, bool progressive = false);

using Files = std::vector<std::pair<std::string, std::string>>;
/// Zip archive of stored or deflated entries.
std::string zip_bytes(const Folder& folder, const Files& entries, bool deflated = false);

}  // namespace edmund::testing
