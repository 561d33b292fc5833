#pragma once

#include "edmund/core/error.h"
#include "edmund/core/options.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// What a command does once its arguments are read.
using Action = std::function<ExitCode()>;
/// Adds a command's arguments to `arguments` and returns its action.
using CommandFactory = Action(CLI::App& arguments);

struct Command {
  std::string_view name;
  std::string_view about;
  CommandFactory* make;
};

/// All commands, in the order in which `edmund --help` shows them.
std::span<const Command> command_table();

/// Runs `edmund <arguments>`: finds the command, reads its flags, does it. Throws Error for wrong
/// usage.
ExitCode run_command(std::vector<std::string> arguments);

/// The first of `arguments` that is not `key=value`, and the rest: CONFIG|RUN and its overrides.
struct Target {
  std::string path;
  std::vector<std::string> overrides;
};
/// The config that a target names: a file, or the one of a run folder, with its overrides.
Options options_of(const Target& target);
/// Adds the positional arguments CONFIG|RUN [key=value…].
void add_target(CLI::App& arguments, Target& target, std::string_view what);

}  // namespace edmund
