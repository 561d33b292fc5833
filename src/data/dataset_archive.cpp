#include "edmund/data/dataset_archive.h"

#include "edmund/archives/zip_stream.h"
#include "edmund/core/error.h"
#include "edmund/core/file_system.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/core/stop.h"
#include "edmund/core/text.h"
#include "edmund/io/image_io.h"
#include "edmund/io/npy_array.h"
#include "pass.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <bit>
#include <system_error>
#include <utility>

namespace edmund {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLabelFile = "dataset.json";

// 00042/img00042317.png
std::string entry_name(std::int64_t i, bool floats) {
  const std::string digits = std::to_string(i);
  const std::string number = std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits;
  return format("{}/img{}.{}", number.substr(0, 5), number, floats ? "npy" : "png");
}

std::int64_t number_in(std::string_view entry) {
  const auto from = entry.find("img") + 3;
  return parse_integer(entry.substr(from, entry.find('.') - from)).value_or(-1);
}

// The form of Python's json.dumps, so that the bytes are those of dataset_tool.
std::string labels_text(const std::vector<std::string>& names, const ImageSource& source) {
  if (source.labels.empty()) return R"({"labels": null})";
  std::string out = R"({"labels": [)";
  for (std::size_t k = 0; k < names.size(); ++k) {
    const auto label = source.labels.at(static_cast<std::size_t>(number_in(names[k])));
    out += format(R"({}["{}", {}])", k == 0 ? "" : ", ", names[k], label);
  }
  return out + "]}";
}

std::string size_text(const ImageHeader& header) {
  return format("{}x{} pixels of {} channels", header.width, header.height, header.channels);
}

bool keeps_channels(Transform transform) {
  return transform == Transform::kScale || transform == Transform::kCenterCropDhariwal;
}

// Everything that can be known from the headers.
void check_shapes(const ImageSource& source, const ArchiveSettings& settings) {
  const bool sized = settings.width > 0;
  require(sized || settings.transform == Transform::kScale, "--transform needs --resolution WxH");
  require(!source.floats || (!sized && settings.transform == Transform::kScale),
          "{}: images of real numbers are written as they are, without --resolution and --transform", source.name);
  require(settings.transform != Transform::kCenterCropWide || settings.height <= settings.width,
          "--resolution {}x{}: center-crop-wide takes a width of at least the height", settings.width, settings.height);
  require(settings.transform != Transform::kCenterCropDhariwal || settings.height == settings.width,
          "--resolution {}x{}: center-crop-dhariwal makes squares", settings.width, settings.height);
  const ImageHeader first = source.header(0);
  for (std::int64_t i = 0; i < source.size; ++i) {
    const ImageHeader own = source.header(i);
    require(sized || (own.width == first.width && own.height == first.height),
            "{}: {}, but {} has {}; --resolution WxH brings them to one size", source.file(i), size_text(own),
            source.file(0), size_text(first));
    require(!keeps_channels(settings.transform) || own.channels == first.channels,
            "{}: {}, but {} has {}; `data.channels=3` makes grey images RGB", source.file(i), size_text(own),
            source.file(0), size_text(first));
  }
}

// An entry's bytes; empty for an image that is left out.
std::string entry_bytes(const ImageSource& source, std::int64_t i, const ArchiveSettings& settings) {
  const Tensor image = source.image(i);
  if (source.floats) return npy_bytes(image);
  const Tensor shown = transformed(image, settings);
  return shown.defined() ? png_bytes(shown) : std::string();
}

std::string identity(const ImageSource& source, const ArchiveSettings& settings) {
  const DataFingerprint data = fingerprint(source);
  const ImageHeader first = source.header(0);
  return format("1 {} {} {} {} {} {} {}", data.images, data.content, data.labels, static_cast<int>(settings.transform),
                settings.width, settings.height, size_text(first));
}

void add_images(const ImageSource& source, const ArchiveSettings& settings, ZipStream& zip, WrittenArchive& out) {
  const std::vector<std::string> there = zip.names();
  out.taken_up = std::ssize(there);
  const std::int64_t begin = there.empty() ? 0 : number_in(there.back()) + 1;
  Progress progress("writing images", "images", source.size, begin);
  const std::int64_t block = kPassBlock * std::max<std::int64_t>(1, at::get_num_threads());
  for (std::int64_t first = begin; first < source.size; first += block) {
    StopRequest::check();
    std::vector<std::string> entries(static_cast<std::size_t>(std::min(block, source.size - first)));
    for_all_images(std::ssize(entries), "", [&](std::int64_t k) {
      entries[static_cast<std::size_t>(k)] = entry_bytes(source, first + k, settings);
    });
    for (std::size_t k = 0; k < entries.size(); ++k)
      if (!entries[k].empty()) zip.add(entry_name(first + static_cast<std::int64_t>(k), source.floats), entries[k]);
    progress.update(first + std::ssize(entries));
  }
  progress.finish();
}

}  // namespace

WrittenArchive write_archive(const ImageSource& source, const ArchiveSettings& settings, const fs::path& file) {
  require(source.size > 0, "{}: there are no images", source.name);
  check_shapes(source, settings);
  const fs::path kept = file.parent_path() / ".unfinished",
                 aside = kept / format("archive-{}.zip", checksum(identity(source, settings)));
  WrittenArchive out;
  ZipStream zip(file, aside);
  if (const auto there = zip.names(); !there.empty() && there.back() == kLabelFile) zip.take_back();
  add_images(source, settings, zip, out);
  const std::vector<std::string> names = zip.names();
  out.images = std::ssize(names);
  out.left_out = source.size - out.images;
  require(out.images > 0, "{}: all {} images are smaller than {}x{}", source.name, source.size, settings.width,
          settings.height);
  zip.add(kLabelFile, labels_text(names, source));
  zip.finish();
  // unless other work is unfinished there
  [[maybe_unused]] const std::error_code others = file_system().remove(kept);
  Tensor one = source.image(number_in(names.front()));
  if (!source.floats) one = transformed(one, settings);
  out.channels = one.size(0), out.height = one.size(1), out.width = one.size(2);
  const bool square = out.width == out.height && std::has_single_bit(static_cast<std::uint64_t>(out.width));
  if (!square && !source.floats)
    log::warn("{}: images of {}x{}: NVlabs' own programs take squares whose side is a power of two", file.string(),
              out.width, out.height);
  return out;
}

}  // namespace edmund
