#include "edmund/io/png_text.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "edmund/io/image_format.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cstdint>
#include <zlib.h>

namespace edmund {
namespace {

constexpr std::size_t kHeader = 33;         // signature and IHDR
constexpr std::size_t kLimit = 16u << 20u;  // bytes of all texts

std::string big32(std::uint32_t value) {
  std::string out;
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(value >> shift & 0xFF);
  return out;
}

std::size_t length_at(std::string_view bytes, std::size_t at) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return c > 0 && c < 0x80; });
}

std::string chunk(std::string_view type, const std::string& data) {
  const std::string body = std::string(type) + data;
  const auto crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big32(static_cast<std::uint32_t>(data.size())) + body + big32(static_cast<std::uint32_t>(crc));
}

std::string utf8_of_latin1(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code >= 0x80) out += static_cast<char>(0xC0 | code >> 6);
    out += code >= 0x80 ? static_cast<char>(0x80 | (code & 0x3F)) : c;
  }
  return out;
}

std::string inflated(std::string_view bytes, std::string_view name) {
  std::string out(std::min(kLimit, 64 + 16 * bytes.size()), '\0');
  for (;;) {
    uLongf size = out.size();
    const int code = uncompress(reinterpret_cast<Bytef*>(out.data()), &size,
                                reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uLong>(bytes.size()));
    if (code == Z_OK) return out.substr(0, size);
    require(code == Z_BUF_ERROR && out.size() < kLimit, "{}: a compressed text of the PNG is damaged or too large",
            name);
    out.resize(std::min(kLimit, 4 * out.size()));
  }
}

// Keyword and text of a chunk that has one.
std::pair<std::string, std::string> text_in(std::string_view type, std::string_view data, std::string_view name) {
  const auto damaged = [&](bool holds) { require(holds, "{}: a text of the PNG is damaged", name); };
  const std::size_t zero = data.find('\0');
  damaged(zero != std::string_view::npos);
  const std::string key = utf8_of_latin1(data.substr(0, zero));
  data.remove_prefix(zero + 1);
  if (type == "tEXt") return {key, utf8_of_latin1(data)};
  damaged(!data.empty());
  if (type == "zTXt") return {key, utf8_of_latin1(inflated(data.substr(1), name))};
  // iTXt: whether it is compressed, how, language, translated keyword, text
  damaged(data.size() >= 2);
  const bool compressed = data[0] != '\0';
  data.remove_prefix(2);
  for (int i = 0; i < 2; ++i) {
    const std::size_t end = data.find('\0');
    damaged(end != std::string_view::npos);
    data.remove_prefix(end + 1);
  }
  return {key, as_utf8(compressed ? inflated(data, name) : std::string(data))};
}

}  // namespace

std::string with_texts(std::string_view png, const PngTexts& texts) {
  TORCH_CHECK(is_png(png) && png.size() > kHeader, "with_texts: a PNG expected");
  std::string out(png.substr(0, kHeader));
  for (const auto& [key, text] : texts) {
    TORCH_CHECK(!key.empty() && key.size() < 80 && is_ascii(key), "with_texts: keyword '", key, "'");
    const std::string head = key + '\0';
    out += is_ascii(text) ? chunk("tEXt", head + text) : chunk("iTXt", head + std::string(4, '\0') + as_utf8(text));
  }
  return out.append(png.substr(kHeader));
}

PngTexts texts_of(std::string_view png, std::string_view name) {
  require(is_png(png), "{}: not a PNG image", name);
  check_complete(png, name);
  PngTexts out;
  std::size_t total = 0;
  for (std::size_t at = 8; at + 12 <= png.size();) {
    const std::size_t length = length_at(png, at);
    const auto type = png.substr(at + 4, 4);
    if (type == "tEXt" || type == "zTXt" || type == "iTXt") {
      out.push_back(text_in(type, png.substr(at + 8, length), name));
      total += out.back().second.size();
      require(total <= kLimit, "{}: more than {} bytes of texts in the PNG", name, kLimit);
    }
    at += 12 + length;
  }
  return out;
}

}  // namespace edmund
