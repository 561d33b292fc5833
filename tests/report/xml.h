#pragma once

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

namespace edmund::testing {

/// What is wrong with a fragment of XML (tags that do not nest, attributes without quotes or twice,
/// bare & or <), or "" if nothing is.
inline std::string xml_fault(std::string_view text) {
  std::vector<std::string> open;
  const auto entity = [&](std::size_t at) {
    const auto end = text.find(';', at);
    return end != std::string_view::npos && end - at <= 7 && end > at + 1;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '&' && !entity(i)) return "bare & at " + std::to_string(i);
    if (text[i] == '>') return "bare > at " + std::to_string(i);
    if (text[i] != '<') continue;
    const bool closing = text[i + 1] == '/';
    std::size_t at = i + (closing ? 2 : 1);
    const auto name_end = text.find_first_of(" />", at);
    if (name_end == std::string_view::npos) return "tag without end";
    const std::string name(text.substr(at, name_end - at));
    if (name.empty() || std::isalpha(static_cast<unsigned char>(name[0])) == 0) return "bare < at " + std::to_string(i);
    std::vector<std::string> attributes;
    at = name_end;
    while (text[at] == ' ') {
      const auto equals = text.find('=', at);
      const std::string attribute(text.substr(at + 1, equals - at - 1));
      if (attribute.find_first_of(" <>\"") != std::string::npos || text[equals + 1] != '"')
        return "attribute '" + attribute + "' of " + name;
      if (std::find(attributes.begin(), attributes.end(), attribute) != attributes.end())
        return attribute + " twice in " + name;
      attributes.push_back(attribute);
      const auto quote = text.find('"', equals + 2);
      for (std::size_t k = equals + 2; k < quote; ++k)
        if (text[k] == '<' || (text[k] == '&' && !entity(k))) return "bare character in " + attribute;
      at = quote + 1;
      if (at >= text.size()) return "attribute without end";
    }
    const bool single = text[at] == '/';
    if (single) ++at;
    if (text[at] != '>') return "tag " + name + " is not closed";
    if (closing) {
      if (open.empty() || open.back() != name) return "</" + name + "> closes nothing";
      open.pop_back();
    } else if (!single) {
      open.push_back(name);
    }
    i = at;
  }
  return open.empty() ? "" : "<" + open.back() + "> stays open";
}

inline std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

}  // namespace edmund::testing
