#include "encoded.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/io/image_format.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <system_error>
#include <utility>

namespace edmund {
namespace {

std::string first_bytes(const std::filesystem::path& path, std::uint64_t limit) {
  if (limit >= kEncodedLimit) return read_file(path, kEncodedLimit);
  std::ifstream file(path, std::ios::binary);
  require(file.is_open(), "{}: the file cannot be opened: {}", path.string(), std::strerror(errno));
  std::string out(limit, '\0');
  file.read(out.data(), static_cast<std::streamsize>(limit));
  require(!file.bad(), "{}: the file cannot be read", path.string());
  out.resize(static_cast<std::size_t>(file.gcount()));
  return out;
}

// Most headers lie in the first bytes; JPEG may have a color profile or a thumbnail before.
ImageHeader header_of(const EncodedFiles& files, std::int64_t i, std::string_view name) {
  for (const std::uint64_t limit : {std::uint64_t{1} << 10, std::uint64_t{1} << 16})
    if (const auto header = header_in(files.bytes(i, limit), name)) return *header;
  return image_header(files.bytes(i, kEncodedLimit), name);
}

}  // namespace

bool is_image_name(std::string_view name) {
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string ending(name.substr(dot + 1));
  std::ranges::transform(ending, ending.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending == "png" || ending == "jpg" || ending == "jpeg";
}

EncodedFiles files_below(const std::filesystem::path& root, std::string_view data) {
  namespace fs = std::filesystem;
  std::vector<std::string> names, others;
  std::error_code code;
  for (auto entry = fs::recursive_directory_iterator(root, fs::directory_options::follow_directory_symlink, code);
       !code && entry != fs::recursive_directory_iterator(); entry.increment(code)) {
    const auto name = entry->path().lexically_relative(root).generic_string();
    if (entry->path().filename().string().starts_with('.')) {
      entry.disable_recursion_pending();
    } else if (!entry->is_directory(code) && name != data) {
      (is_image_name(name) ? names : others).push_back(name);
    }
  }
  require(!code, "{}: the folder cannot be read: {}", root.string(), code.message());
  if (std::erase(others, "samples.json") > 0)
    std::erase(names, "sheet.png");  // what `edmund sample` wrote: the sheet shows the other images
  std::ranges::sort(names);
  if (!others.empty())
    log::warn("{}: {} files are neither PNG nor JPEG and are left out ({} for one)", root.string(), others.size(),
              *std::ranges::min_element(others));
  return {.place = root.string(), .names = names, .bytes = [root, names](std::int64_t i, std::uint64_t limit) {
            return first_bytes(root / names[static_cast<std::size_t>(i)], limit);
          }};
}

ImageSource encoded(EncodedFiles files) {
  require(!files.names.empty(), "{}: there are no PNG or JPEG images", files.place);
  const auto shared = std::make_shared<const EncodedFiles>(std::move(files));
  const auto name = [shared](std::int64_t i) {
    return (std::filesystem::path(shared->place) / shared->names[static_cast<std::size_t>(i)]).string();
  };
  const auto count = static_cast<std::int64_t>(shared->names.size());
  std::vector<ImageHeader> headers;
  headers.reserve(shared->names.size());
  for (std::int64_t i = 0; i < count; ++i) headers.push_back(header_of(*shared, i, name(i)));
  return {.name = std::filesystem::path(shared->place).filename().string(),
          .size = count,
          .header = [headers = std::move(headers)](std::int64_t i) { return headers[static_cast<std::size_t>(i)]; },
          .image = [shared, name](std::int64_t i) { return decode_image(shared->bytes(i, kEncodedLimit), name(i)); },
          .file = name};
}

}  // namespace edmund
