#pragma once

#include "edmund/core/options.h"
#include "edmund/core/table.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// A family of plugins that a config chooses from, as `edmund list` and the schema show it.
struct Family {
  std::string_view name;  // "samplers"
  std::string_view key;   // "sampling.sampler.type": where configs choose
  std::vector<Description> entries;
  std::vector<std::string> more = {};  // a word on each entry
  /// Make the plugin that `type` names, in surroundings of which ranges and defaults may depend;
  /// none: the entries have no options.
  std::vector<std::function<void(Options&)>> make = {};
};

/// All of them, in the order of `edmund list`.
std::vector<Family> families();
/// The family of which this fact is the `type`; null for other facts.
const Family* family_of(const OptionFacts& fact, const std::vector<Family>& all);

/// What a reader said of an option.
struct OptionHelp {
  OptionFacts facts;
  bool varies = false;  // the default, or the range, depends on the rest of the config
};
/// Options of an entry, its `type` included, in the order of reading: what its factory reads from
/// an empty mapping and from one with each of the choices that it offers. Mistakes, such as a
/// missing file, only end the reading: factories read their keys before they look at files. Of
/// plugins that it chooses itself only their `type` is there.
std::vector<OptionHelp> help_of(const Family& family, std::string_view entry);

/// The same without what stands below a plugin that is chosen in a section of its own, but for its
/// `type`.
std::vector<OptionHelp> without_options_of_plugins(std::vector<OptionHelp> options, const std::vector<Family>& all);

/// Adds facts from another reading: what differs varies.
void merge(std::vector<OptionHelp>& all, std::vector<OptionFacts> more);

/// The parts of "a | b | c".
std::vector<std::string> alternatives(std::string_view accepts);

}  // namespace edmund
