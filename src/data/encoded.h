#pragma once

#include "edmund/core/options.h"
#include "edmund/data/image_source.h"
#include "name_list.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// PNG, JPEG and WebP images (or arrays) that are decoded when they are asked for. The functions
/// are thread-safe.
struct EncodedFiles {
  std::string place;                      // folder or archive
  std::shared_ptr<const NameList> names;  // relative to it, sorted
  /// The first `limit` bytes of an entry, or all if it has no more.
  std::function<std::string(std::int64_t index, std::uint64_t limit)> bytes;
  /// What tells an entry's content from another's, without reading all of it.
  std::function<std::string(std::int64_t index)> content;
};

/// Whether the name ends in .png, .jpg, .jpeg or .webp, in whatever case.
bool is_image_name(std::string_view name);
/// Whether the name ends in .npy.
bool is_array_name(std::string_view name);
/// Whether the name ends in .zip, .tar, .gz …: images may lie in it, but are not read.
bool is_archive_name(std::string_view name);
/// Whether a part of the path begins with a dot or is __MACOSX: what systems put beside people's
/// files.
bool is_hidden(std::string_view name);

/// Says what was left out: of `others` which were neither PNG nor JPEG
/// nor WebP. Throws Error if `images` is
/// none.
void report_left_out(const NameList& images, const NameList& others, std::string_view place);

/// Files below a folder, links followed, hidden ones left out; sorted.
struct FoundFiles {
  NameList images;  // by is_image_name
  NameList others;
};
/// A link to a folder above it is passed over with a warning, and so are pipes, sockets and
/// devices.
/// Throws Error for a folder that cannot be read, and for one that a link leads to while it is read
/// under its own name, too.
FoundFiles files_below(const std::filesystem::path& root);

/// The images among the files of a folder.
EncodedFiles images_in(const std::filesystem::path& root, NameList names);

/// What the options `background` and `sixteen_bit` say.
ImageReading image_reading(Options& options);

/// Reads every header and answers the images, without labels. A damaged header is an Error when it
/// is asked for. Says in a warning what becomes of images of 16 bits.
ImageSource encoded(EncodedFiles files, const ImageReading& reading);

/// How arrays are taken that hold latents of an autoencoder.
struct ArrayReading {
  // first half of the channels: means, second half: deviations; means are taken
  bool means = false;
  // (x - mean)/std·scale, by channel or all alike; empty: 0 and 1
  std::vector<double> mean, std;
  double scale = 1.0;
};
/// What the options `latents`, `latent_mean`, `latent_std` and `latent_scale` say.
ArrayReading array_reading(Options& options);
/// The same of .npy files: real numbers [C, H, W] (or [H, W]) as float32, bytes as pixels.
ImageSource arrays(EncodedFiles files, const ArrayReading& reading);

}  // namespace edmund
