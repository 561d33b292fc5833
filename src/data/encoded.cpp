#include "encoded.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/io/image_format.h"
#include "pass.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace edmund {
namespace {

// bytes of a file that its fingerprint has
constexpr std::uint64_t kHead = 1 << 10, kTail = 1 << 8;

std::ifstream opened(const std::filesystem::path& path) {
  // Only what is a file now, too: a pipe in its place would wait for its other end.
  std::error_code code;
  const auto type = std::filesystem::status(path, code).type();
  require(type == std::filesystem::file_type::regular || code, "{}: not a file", path.string());
  std::ifstream file(path, std::ios::binary);
  require(file.is_open(), "{}: the file cannot be opened: {}", path.string(), std::strerror(errno));
  return file;
}

std::string next_bytes(std::ifstream& file, std::uint64_t limit, const std::filesystem::path& path) {
  std::string out(limit, '\0');
  file.read(out.data(), static_cast<std::streamsize>(limit));
  require(!file.bad(), "{}: the file cannot be read", path.string());
  out.resize(static_cast<std::size_t>(file.gcount()));
  return out;
}

std::string first_bytes(const std::filesystem::path& path, std::uint64_t limit) {
  if (limit >= kEncodedLimit) return read_file(path, kEncodedLimit);
  std::ifstream file = opened(path);
  return next_bytes(file, limit, path);
}

// Size, beginning and end: an encoded image that differs anywhere differs there, for the end of its
// data depends on all of it (a PNG has checksums there).
std::string content_of(const std::filesystem::path& path) {
  std::ifstream file = opened(path);
  const std::uint64_t size = std::filesystem::file_size(path);
  std::string text = std::to_string(size) + ":" + next_bytes(file, kHead, path);
  if (size > kHead) {
    file.seekg(static_cast<std::streamoff>(std::max(kHead, size - std::min(size, kTail))));
    text += next_bytes(file, kTail, path);
  }
  return checksum(text);
}

// Most headers lie in the first bytes; JPEG may have a color profile or a thumbnail before.
ImageHeader header_of(const EncodedFiles& files, std::int64_t i, std::string_view name, const ImageReading& reading) {
  for (const std::uint64_t limit : {std::uint64_t{1} << 10, std::uint64_t{1} << 16})
    if (const auto header = header_in(files.bytes(i, limit), name, kPixelLimit, reading)) return *header;
  return image_header(files.bytes(i, kEncodedLimit), name, kPixelLimit, reading);
}

// A header in 12 bytes; without a width it could not be read.
struct SmallHeader {
  std::uint32_t width = 0, height = 0;
  std::uint8_t channels = 0, orientation = 0;
};

bool has_ending(std::string_view name, std::initializer_list<std::string_view> endings) {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string ending(name.substr(dot + 1));
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::find(endings, ending) != endings.end();
}

}  // namespace

bool is_image_name(std::string_view name) { return has_ending(name, {"png", "jpg", "jpeg", "webp"}); }

bool is_array_name(std::string_view name) { return has_ending(name, {"npy"}); }

bool is_archive_name(std::string_view name) {
  return has_ending(name, {"zip", "tar", "gz", "tgz", "bz2", "xz", "zst", "7z", "rar"});
}

bool is_hidden(std::string_view name) {
  for (std::size_t at = 0; at <= name.size();) {
    const auto end = std::min(name.find('/', at), name.size());
    const auto part = name.substr(at, end - at);
    if ((part.starts_with('.') && part != ".") || part == "__MACOSX") return true;
    at = end + 1;
  }
  return false;
}

void report_left_out(const NameList& images, const NameList& others, std::string_view place) {
  if (images.empty())
    for (std::int64_t i = 0; i < others.size(); ++i)
      require(!is_archive_name(others[i]),
              "{}: there are no PNG, JPEG or WebP images, but an archive, '{}'; unpack it first", place, others[i]);
  require(!images.empty(), "{}: there are no PNG, JPEG or WebP images", place);
  if (!others.empty())
    log::warn("{}: {} files are neither PNG nor JPEG nor WebP and are left out ({} for one)", place, others.size(),
              others[0]);
}

EncodedFiles images_in(const std::filesystem::path& root, NameList names) {
  const auto shared = std::make_shared<const NameList>(std::move(names));
  const auto path = [root, shared](std::int64_t i) { return root / (*shared)[i]; };
  return {.place = root.string(),
          .names = shared,
          .bytes = [path](std::int64_t i, std::uint64_t limit) { return first_bytes(path(i), limit); },
          .content = [path](std::int64_t i) { return content_of(path(i)); }};
}

ImageReading image_reading(Options& options) {
  using Deep = ImageReading::Deep;
  const auto color = options.integers("background", {}, between(0, 255),
                                      "[r, g, b] behind what is transparent; []: such images are refused");
  options.check(color.empty() || color.size() == 3, "background", "expected [r, g, b], found {} numbers", color.size());
  const auto deep =
      options.choice("sixteen_bit", "round", {"round", "keep", "refuse"},
                     "images of 16 bits a channel: rounded to 8; kept as real numbers, with all others; refused");
  ImageReading out{.deep = deep == "round" ? Deep::kRound : deep == "keep" ? Deep::kKeep : Deep::kRefuse};
  if (color.size() == 3)
    out.background = {static_cast<std::uint8_t>(color[0]), static_cast<std::uint8_t>(color[1]),
                      static_cast<std::uint8_t>(color[2])};
  return out;
}

ImageSource encoded(EncodedFiles files, const ImageReading& reading) {
  require(!files.names->empty(), "{}: there are no PNG, JPEG or WebP images", files.place);
  const auto shared = std::make_shared<const EncodedFiles>(std::move(files));
  const auto name = [shared](std::int64_t i) {
    return (std::filesystem::path(shared->place) / (*shared->names)[i]).string();
  };
  const std::int64_t count = shared->names->size();
  std::vector<SmallHeader> headers(static_cast<std::size_t>(count));
  std::atomic<std::int64_t> deep = 0, one_deep = 0;
  for_all_images(count, "reading headers", [&](std::int64_t i) {
    try {
      const auto found = header_of(*shared, i, name(i), reading);
      if (found.bits > 8 && deep++ == 0) one_deep = i;
      headers[static_cast<std::size_t>(i)] = {.width = static_cast<std::uint32_t>(found.width),
                                              .height = static_cast<std::uint32_t>(found.height),
                                              .channels = static_cast<std::uint8_t>(found.channels),
                                              .orientation = static_cast<std::uint8_t>(found.orientation)};
    } catch (const Error&) {  // thrown again by header(), for those who ask for this image
    }
  });
  if (deep > 0 && reading.deep == ImageReading::Deep::kRound)
    log::warn(
        "{}: {} images have 16 bits a channel ({} for one): they are rounded to 8; `sixteen_bit: keep` loses none",
        shared->place, deep.load(), (*shared->names)[one_deep]);
  return {.name = std::filesystem::path(shared->place).filename().string(),
          .size = count,
          .header =
              [shared, name, reading, headers = std::move(headers)](std::int64_t i) {
                const SmallHeader& found = headers[static_cast<std::size_t>(i)];
                if (found.width == 0) return header_of(*shared, i, name(i), reading);
                return ImageHeader{.width = found.width,
                                   .height = found.height,
                                   .channels = found.channels,
                                   .orientation = found.orientation};
              },
          .image = [shared, name, reading](
                       std::int64_t i) { return decode_image(shared->bytes(i, kEncodedLimit), name(i), reading); },
          .file = name,
          .content = [shared](std::int64_t i) { return std::string((*shared->names)[i]) + '\0' + shared->content(i); },
          .floats = reading.deep == ImageReading::Deep::kKeep};
}

}  // namespace edmund
