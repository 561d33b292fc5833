#include "words.h"

#include "edmund/commands/command.h"
#include "explain.h"

namespace edmund {

void add_common_flags(CLI::App& arguments, CommonFlags& flags) {
  arguments.add_flag("--quiet", flags.quiet, "warnings and errors only");
  arguments.add_flag("--verbose", flags.verbose, "details too");
}

std::vector<CommandWord> command_words() {
  std::vector<CommandWord> out;
  for (const Command& command : command_table()) {
    CLI::App app(std::string(command.about), std::string(command.name));
    CommonFlags common;
    add_common_flags(app, common);
    command.make(app);
    CommandWord word{.name = std::string(command.name), .about = std::string(command.about)};
    for (const CLI::Option* option : app.get_options()) {
      const bool is_positional = option->get_positional();
      if (is_positional && option->get_name() == "overrides") word.takes_keys = true;
      word.flags.push_back({.flag = is_positional ? option->get_name() : "--" + option->get_lnames().front(),
                            .about = option->get_description(),
                            .takes_value = option->get_items_expected_max() > 0,
                            .is_positional = is_positional});
    }
    out.push_back(std::move(word));
  }
  return out;
}

std::vector<KeyWord> key_words() {
  const std::vector<Family> all = families();
  std::vector<KeyWord> out;
  for (const OptionHelp& help : all_config_keys()) {
    const OptionFacts& facts = help.facts;
    if (facts.kind == "mapping" || facts.kind == "list of mappings") continue;
    KeyWord word{.key = facts.path, .about = facts.about};
    if (const Family* family = family_of(facts, all)) {
      for (const auto& entry : family->entries) word.values.emplace_back(entry.name);
    } else if (facts.kind == "choice") {
      word.values = alternatives(facts.accepts);
    } else if (facts.kind == "true or false") {
      word.values = {"true", "false"};
    }
    out.push_back(std::move(word));
  }
  return out;
}

}  // namespace edmund
