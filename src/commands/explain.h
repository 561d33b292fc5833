#pragma once

#include "edmund/commands/command.h"
#include "families.h"

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Keys of configs, comparisons and plugins in words, one line each.
namespace edmund {

/// What stands in the line of a key.
struct KeyLine {
  std::string key, value, accepts, about;
};
/// Lines with columns as wide as they need to be.
std::string text_of(std::span<const KeyLine> lines);

/// "number at least 0", "heun | ddim", "name: edmund list samplers", "section".
std::string accepted(const OptionFacts& facts, const std::vector<Family>& all);

/// A config or study file whose keys were read, as `--explain` shows it: those of `keys` and all
/// below them, or all if there are none; as text, or as JSON. Throws Error for a key that no one
/// reads.
std::string explained(const std::vector<OptionFacts>& facts, std::span<const std::string> keys, bool as_json);

/// Everything that is read of a config, plugins and the evaluation included. What is wrong with it
/// is in `mistakes`, one a line: it is explained all the same.
struct ReadConfig {
  std::vector<OptionFacts> facts;
  std::string mistakes;
};
ReadConfig read_everything(const Options& root);

/// What the readers say of the keys of every config; of plugins their `type`.
std::vector<OptionHelp> config_help();
/// The same with the options of every plugin, below the section where it is chosen: each path once.
std::vector<OptionHelp> all_config_keys();

/// `edmund config --explain [CONFIG] [key=value | key.path]…`. Throws Error after the text if the
/// config has mistakes.
void explain_config(const Target& given, bool as_json);

/// Files with one of each list, of which readers say what they would of any.
inline constexpr std::string_view kComparisonExample = "{models: [{adapters: [{}]}], variants: [{}]}",
                                  kAblationExample = "{arms: [{}], axes: [{arms: [{}]}], compare: {variants: [{}]}}";
using FactsOf = std::vector<OptionFacts>(Options root);
/// The same of a file that `facts_of` reads; `example` stands in where none is given.
void explain_study(const Target& given, std::string_view example, FactsOf* facts_of, bool as_json);

/// Options of a plugin, for `edmund list FAMILY NAME`.
std::vector<KeyLine> lines_of(const std::vector<OptionHelp>& options, const std::vector<Family>& all);
nlohmann::ordered_json json_of(const std::vector<OptionHelp>& options);

}  // namespace edmund
