#pragma once

#include "edmund/data/image_source.h"

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace edmund {

/// How images come to their size in an archive: the transforms of NVlabs' dataset_tool (Karras et
/// al. 2022, 2024).
enum class Transform {
  kScale,              // to width x height by Lanczos' kernel, whatever the proportions
  kCenterCrop,         // the largest centered square, then by Lanczos' kernel; grey becomes RGB
  kCenterCropWide,     // full width, proportions width:height, into a black square; RGB
  kCenterCropDhariwal  // halved by means, then bicubic, then the centered square (ADM's)
};
/// Throws Error for an unknown name: center-crop, center-crop-wide, center-crop-dhariwal.
Transform transform_of(std::string_view name);

struct ArchiveSettings {
  Transform transform = Transform::kScale;
  std::int64_t width = 0, height = 0;  // 0: the images' own
};

/// uint8 [C, H, W] as the archive has it; undefined for an image that is too small for
/// kCenterCropWide, which leaves it out.
Tensor transformed(const Tensor& image, const ArchiveSettings& settings);

/// What lies in an archive that was written.
struct WrittenArchive {
  std::int64_t images = 0, left_out = 0, taken_up = 0;  // taken_up: of an interrupted writing
  std::int64_t channels = 0, height = 0, width = 0;
};

/// Writes the images as an uncompressed zip archive of PNG with dataset.json, laid out as
/// dataset_tool lays them out: 00000/img00000000.png, names counting the source's images. Images of
/// real numbers are written as .npy, float32 [C, H, W]. Shows progress; memory is that of some
/// images. The file appears when it is whole; an interrupted writing is kept beside it in
/// .unfinished/, where the same call goes on. Throws Error, before anything is written, for images
/// that are not of one shape afterwards; Interrupted if the process was asked to stop.
WrittenArchive write_archive(const ImageSource& source, const ArchiveSettings& settings,
                             const std::filesystem::path& file);

}  // namespace edmund
