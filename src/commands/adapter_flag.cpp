#include "adapter_flag.h"

#include "edmund/core/text.h"

namespace edmund {
namespace {

// "FILE:0.5": the last colon counts, if a number follows it.
std::string entry_of(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const auto strength = colon == text.npos ? std::nullopt : parse_real(text.substr(colon + 1));
  require(colon != 0 && !text.empty(), "--adapter: expected FILE or FILE:STRENGTH, found {}", in_quotes(as_utf8(text)));
  return format("{file: {}, strength: {}}", Options::quoted(strength ? text.substr(0, colon) : text),
                strength.value_or(1.0));
}

}  // namespace

void add_adapters(CLI::App& arguments, Target& target) {
  const auto read = [&target](const std::vector<std::string>& texts) {
    std::string list;
    for (const auto& text : texts) list += (list.empty() ? "" : ", ") + entry_of(text);
    target.overrides.push_back("adapters=[" + list + "]");
  };
  arguments
      .add_option_function<std::vector<std::string>>(
          "--adapter", read,
          "adapter's file, folder or run that is added to the weights, FILE:STRENGTH (default strength 1); several if "
          "asked")
      ->type_name("FILE:STRENGTH")
      ->expected(1)
      ->take_all();
}

}  // namespace edmund
