#include "edmund/core/parsed_json.h"

namespace edmund {

bool nested_too_deep(std::string_view json) {
  constexpr int kMostLevels = 128;
  int level = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string && c == '\\') ++i;  // what follows ends no string
    if (c == '"') in_string = !in_string;
    if (in_string) continue;
    if (c == '[' || c == '{') ++level;
    if (c == ']' || c == '}') --level;
    if (level > kMostLevels) return true;
  }
  return false;
}

}  // namespace edmund
