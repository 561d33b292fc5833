#include "edmund/io/gif.h"

#include "edmund/core/error.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace edmund {
namespace {

using Color = std::array<std::uint8_t, 3>;
constexpr std::size_t kColors = 256;

std::uint32_t key_of(const Color& color) { return color[0] << 16 | color[1] << 8 | color[2]; }

struct Counted {
  Color color;
  std::int64_t count;
};

// The colors of a picture: a palette, and the entry of each color that occurs.
struct Palette {
  std::vector<Color> colors;
  std::unordered_map<std::uint32_t, std::uint8_t> entry;
};

// A part of the colors, and its widest channel.
struct Box {
  std::size_t begin, end;
  int channel = 0, width = 0;
};

Box measured(const std::vector<Counted>& all, std::size_t begin, std::size_t end) {
  Box out{.begin = begin, .end = end};
  for (std::size_t c = 0; c < 3; ++c) {
    int low = 255, high = 0;
    for (std::size_t i = begin; i < end; ++i) {
      low = std::min<int>(low, all[i].color[c]);
      high = std::max<int>(high, all[i].color[c]);
    }
    if (high - low > out.width) out.channel = static_cast<int>(c), out.width = high - low;
  }
  return out;
}

// Cuts the widest box at its median until there are as many as the format has colors.
std::vector<Box> cut(std::vector<Counted>& all) {
  std::vector<Box> boxes{measured(all, 0, all.size())};
  while (boxes.size() < kColors) {
    const auto widest = std::ranges::max_element(boxes, {}, &Box::width);
    if (widest->width == 0) break;
    const Box box = *widest;
    const auto first = all.begin() + static_cast<std::ptrdiff_t>(box.begin),
               last = all.begin() + static_cast<std::ptrdiff_t>(box.end);
    std::sort(first, last, [&](const Counted& a, const Counted& b) {
      const auto c = static_cast<std::size_t>(box.channel);
      return a.color[c] != b.color[c] ? a.color[c] < b.color[c] : a.color < b.color;
    });
    std::int64_t total = 0, half = 0;
    for (auto at = first; at != last; ++at) total += at->count;
    std::size_t middle = box.begin;
    while (middle + 1 < box.end && 2 * (half += all[middle].count) < total) ++middle;
    middle = std::clamp(middle, box.begin + 1, box.end - 1);
    *widest = measured(all, box.begin, middle);
    boxes.push_back(measured(all, middle, box.end));
  }
  return boxes;
}

Palette palette_of(const std::vector<Color>& pixels) {
  std::unordered_map<std::uint32_t, std::int64_t> counts;
  for (const Color& color : pixels) ++counts[key_of(color)];
  std::vector<Counted> all;
  for (const auto& [key, count] : counts)
    all.push_back(
        {{static_cast<std::uint8_t>(key >> 16), static_cast<std::uint8_t>(key >> 8), static_cast<std::uint8_t>(key)},
         count});
  std::ranges::sort(all, {}, &Counted::color);  // the same picture gives the same bytes
  Palette out;
  for (const Box& box : cut(all)) {
    double sum[3] = {0, 0, 0}, weight = 0;
    for (std::size_t i = box.begin; i < box.end; ++i) {
      for (std::size_t c = 0; c < 3; ++c) sum[c] += static_cast<double>(all[i].color[c] * all[i].count);
      weight += static_cast<double>(all[i].count);
      out.entry[key_of(all[i].color)] = static_cast<std::uint8_t>(out.colors.size());
    }
    Color mean;
    for (std::size_t c = 0; c < 3; ++c) mean[c] = static_cast<std::uint8_t>(sum[c] / weight + 0.5);
    out.colors.push_back(mean);
  }
  return out;
}

void append_16(std::string& out, std::int64_t value) {
  out += static_cast<char>(value & 0xff);
  out += static_cast<char>(value >> 8 & 0xff);
}

// Codes of growing width, least significant bit first, in blocks of at most 255 bytes.
class CodeStream {
 public:
  explicit CodeStream(std::string& out) : out_(out) {}
  void put(std::uint32_t code, int width) {
    bits_ |= static_cast<std::uint64_t>(code) << count_;
    for (count_ += width; count_ >= 8; count_ -= 8, bits_ >>= 8) add(static_cast<char>(bits_ & 0xff));
  }
  void finish() {
    if (count_ > 0) add(static_cast<char>(bits_ & 0xff));
    flush();
    out_ += '\0';
  }

 private:
  void add(char byte) {
    block_ += byte;
    if (block_.size() == 255) flush();
  }
  void flush() {
    if (block_.empty()) return;
    out_ += static_cast<char>(block_.size());
    out_ += block_;
    block_.clear();
  }
  std::string& out_;
  std::string block_;
  std::uint64_t bits_ = 0;
  int count_ = 0;
};

// LZW as GIF has it: 8-bit symbols, codes of 9 to 12 bits, cleared when all are taken.
void append_compressed(std::string& out, const std::vector<std::uint8_t>& symbols) {
  constexpr std::uint32_t kClear = 256, kEnd = 257, kMost = 4096;
  out += '\x08';
  CodeStream codes(out);
  std::unordered_map<std::uint32_t, std::uint32_t> table;  // (code of a string, next symbol) → code
  std::uint32_t next = kEnd + 1;
  int width = 9;
  codes.put(kClear, width);
  std::uint32_t string = symbols.front();
  for (std::size_t i = 1; i < symbols.size(); ++i) {
    const std::uint32_t longer = string << 8 | symbols[i];
    if (const auto found = table.find(longer); found != table.end()) {
      string = found->second;
      continue;
    }
    codes.put(string, width);
    string = symbols[i];
    if (next == kMost) {
      codes.put(kClear, width);
      table.clear();
      next = kEnd + 1, width = 9;
    } else {
      if (next == 1u << width) ++width;
      table[longer] = next++;
    }
  }
  codes.put(string, width);
  if (next < kMost && next == 1u << width) ++width;  // the reader has added one more by then
  codes.put(kEnd, width);
  codes.finish();
}

}  // namespace

std::string gif_bytes(const Tensor& frames, int delay) {
  TORCH_CHECK(frames.dim() == 4 && frames.scalar_type() == at::kByte && (frames.size(1) == 1 || frames.size(1) == 3),
              "expected frames uint8 [F, 1 or 3, H, W]");
  const std::int64_t F = frames.size(0), H = frames.size(2), W = frames.size(3);
  require(F > 0 && H > 0 && W > 0 && H < 65536 && W < 65536, "a GIF of {} frames of {}x{} pixels cannot be written", F,
          H, W);
  // [F, H, W, 3]
  const Tensor rgb = frames.expand({F, 3, H, W}).permute({0, 2, 3, 1}).contiguous();
  std::vector<Color> pixels(static_cast<std::size_t>(F * H * W));
  std::copy_n(rgb.const_data_ptr<std::uint8_t>(), rgb.numel(), pixels.front().data());
  const Palette palette = palette_of(pixels);

  std::string out = "GIF89a";
  append_16(out, W), append_16(out, H);
  out += std::string("\xf7\0\0", 3);  // a table of 256 colors for all frames
  for (std::size_t i = 0; i < kColors; ++i)
    for (const std::uint8_t value : i < palette.colors.size() ? palette.colors[i] : Color{})
      out += static_cast<char>(value);
  out += std::string("\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0", 19);  // again and again
  for (std::int64_t f = 0; f < F; ++f) {
    out += std::string("\x21\xf9\x04\0", 4);
    append_16(out, f + 1 == F ? 100 : delay);
    out += std::string("\0\0\x2c\0\0\0\0", 7);
    append_16(out, W), append_16(out, H);
    out += '\0';
    std::vector<std::uint8_t> symbols;
    for (std::int64_t i = f * H * W; i < (f + 1) * H * W; ++i)
      symbols.push_back(palette.entry.at(key_of(pixels[static_cast<std::size_t>(i)])));
    append_compressed(out, symbols);
  }
  return out += ';';
}

}  // namespace edmund
