#include "edmund/archives/npy.h"

#include "edmund/core/error.h"
#include "edmund/core/shape_size.h"

#include <charconv>

namespace edmund {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::uint64_t kWidest = std::uint64_t{1} << 20;  // bytes of an element: a text
constexpr std::size_t kMostDimensions = 16;

/// Reads the one form of Python literal that headers have: {'descr': '…', 'fortran_order': False,
/// 'shape': (…), }.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, std::string_view place) : text_(text), place_(place) {}

  NpyHeader read() {
    NpyHeader header;
    int seen = 0;  // one bit for each key
    expect('{');
    while (!accepted('}')) {
      const std::string key = quoted();
      expect(':');
      const int bit = key == "descr" ? 1 : key == "fortran_order" ? 2 : key == "shape" ? 4 : 0;
      demand(bit != 0 && (seen & bit) == 0);
      seen |= bit;
      if (bit == 1) header.descr = text();
      if (bit == 2) header.fortran_order = truth();
      if (bit == 4) header.shape = tuple();
      if (!accepted(',')) {
        expect('}');
        break;
      }
    }
    space();
    demand(seen == 7 && at_ == text_.size());
    return header;
  }

 private:
  void demand(bool holds) const { require(holds, "{}: the header of the array is damaged", place_); }
  void space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }
  bool accepted(char c) {
    space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) { demand(accepted(c)); }
  std::string quoted() {
    space();
    demand(at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"'));
    const std::size_t end = text_.find(text_[at_], at_ + 1);
    demand(end != std::string_view::npos);
    std::string out(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return out;
  }
  std::string text() {
    space();
    require(at_ >= text_.size() || text_[at_] != '[', "{}: an array of records, expected one of numbers", place_);
    return quoted();
  }
  bool truth() {
    space();
    for (const std::string_view word : {"True", "False"})
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return word == "True";
      }
    demand(false);
    return false;
  }
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> out;
    expect('(');
    while (!accepted(')')) {
      std::int64_t value = -1;
      space();
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
      demand(error == std::errc() && value >= 0 && out.size() < kMostDimensions);
      at_ = static_cast<std::size_t>(end - text_.data());
      out.push_back(value);
      if (!accepted(',')) {
        expect(')');
        break;
      }
    }
    return out;
  }

  std::string_view text_, place_;
  std::size_t at_ = 0;
};

}  // namespace

NpyHeader npy_header(std::string_view bytes, std::string_view place) {
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
  require(bytes.size() >= 12 && bytes.starts_with(kMagic) && byte(6) >= 1 && byte(6) <= 3, "{}: not an array of NumPy",
          place);
  const bool wide = byte(6) > 1;  // four bytes of length from version 2 on
  const std::size_t begin = wide ? 12 : 10;
  const std::size_t length = byte(8) | byte(9) << 8 | (wide ? byte(10) << 16 | byte(11) << 24 : 0);
  require(length <= kNpyHeaderLimit - begin, "{}: the header of the array has {} bytes, at most {} are read", place,
          length, kNpyHeaderLimit - begin);
  require(begin + length <= bytes.size(), "{}: the array is cut short", place);
  NpyHeader header = HeaderReader(bytes.substr(begin, length), place).read();
  header.data_begin = begin + length;
  return header;
}

std::uint64_t element_count(const NpyHeader& header, std::string_view place) {
  const auto bytes = shape_size(header.shape, kWidest);
  require(bytes.has_value(), "{}: the shape of the array is absurd", place);
  return *bytes / kWidest;
}

std::string npy_header_bytes(std::string_view descr, const std::vector<std::int64_t>& shape) {
  std::string sizes;
  for (const auto size : shape) sizes += format(sizes.empty() ? "{}" : ", {}", size);
  if (shape.size() == 1) sizes += ",";
  std::string text = format("{'descr': '{}', 'fortran_order': False, 'shape': ({}), }", descr, sizes);
  text.append(63 - (10 + text.size()) % 64, ' ');
  text += '\n';
  const auto length = text.size();
  return std::string(kMagic) + '\x01' + '\0' + static_cast<char>(length & 0xff) + static_cast<char>(length >> 8) + text;
}

}  // namespace edmund
