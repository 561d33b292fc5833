#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

// What can be typed after `edmund`: for completions and the man page.
namespace edmund {

/// What every command takes.
struct CommonFlags {
  bool quiet = false, verbose = false;
};
void add_common_flags(CLI::App& arguments, CommonFlags& flags);

struct FlagWord {
  std::string flag;  // "--out"; a positional argument: "target"
  std::string about;
  bool takes_value = false, is_positional = false;
};
struct CommandWord {
  std::string name, about;
  std::vector<FlagWord> flags;
  bool takes_keys = false;  // key.path=value
};
struct KeyWord {
  std::string key, about;
  std::vector<std::string> values;  // of choices
};

/// Every command with what it takes.
std::vector<CommandWord> command_words();
/// Every key of a config that has a value.
std::vector<KeyWord> key_words();

}  // namespace edmund
