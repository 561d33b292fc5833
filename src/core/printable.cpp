#include "edmund/core/printable.h"

#include <cstdio>

namespace edmund {

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    char buffer[8];
    if ((byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f) {
      std::snprintf(buffer, sizeof buffer, "\\x%02x", byte);
      out += buffer;
    } else if (byte == 0xc2 && next >= 0x80 && next <= 0x9f) {  // U+0080 to U+009F
      std::snprintf(buffer, sizeof buffer, "\\u%04x", next);
      out += buffer;
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace edmund
