#include "edmund/io/csv.h"

#include "edmund/core/format.h"

#include <cmath>

namespace edmund {

std::string csv_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + '"';
}

std::string csv_number(std::optional<double> value) {
  return value && std::isfinite(*value) ? number_text(*value) : std::string();
}

std::string csv_line(std::initializer_list<std::string_view> fields) {
  std::string out;
  for (const std::string_view field : fields) {
    out += field;
    out += ',';
  }
  if (!out.empty()) out.pop_back();
  return out + '\n';
}

}  // namespace edmund
