#pragma once

#include "edmund/core/error.h"
#include "edmund/core/options.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
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

/// What the exit codes mean, for help and manual.
inline constexpr std::string_view kExitCodes =
    "0 done, 2 bad input, 74 a training whose disk took no checkpoint for too long,\n"
    "75 interrupted and saved, 1 anything else\n";

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

/// Which integers a flag takes.
struct Whole {
  std::int64_t low = 0;
  std::int64_t high = std::numeric_limits<std::int64_t>::max();
};
/// An integer in digits, with no more than a minus before them; empty for anything else, 1e3 too.
std::optional<std::int64_t> plain_integer(std::string_view text);
/// The integer of a flag, in digits. Throws Error naming the flag and its range for anything else.
std::int64_t integer_of(std::string_view flag, std::string_view text, Whole range);
/// The same for integers with commas between, and runs of them if so asked: 3,14 or 0-63,100.
enum class Runs { kRefused, kTaken };
std::vector<std::int64_t> integers_of(std::string_view flag, std::string_view text, Whole range,
                                      Runs runs = Runs::kRefused);
/// Adds a flag that takes such an integer.
CLI::Option* add_integer(CLI::App& arguments, const std::string& flag, std::int64_t& value, Whole range,
                         const std::string& about);
CLI::Option* add_integer(CLI::App& arguments, const std::string& flag, std::optional<std::int64_t>& value, Whole range,
                         const std::string& about);
/// Adds a flag that takes such integers; `form` is how help shows them ("INT,INT,…").
CLI::Option* add_integers(CLI::App& arguments, const std::string& flag, std::vector<std::int64_t>& values, Whole range,
                          const std::string& form, const std::string& about, Runs runs = Runs::kRefused);
/// Adds a flag whose text is written to files. Throws Error, while arguments are read, if it is no
/// UTF-8.
CLI::Option* add_text(CLI::App& arguments, const std::string& flag, std::string& value, const std::string& about);

/// Throws Error, naming the flag, for the path of a folder to be written that is a file, or looks
/// like one ("x.png").
void require_folder_like(std::string_view flag, const std::filesystem::path& path);
/// The same for a file: not a folder, nor below a file.
void require_file_like(std::string_view flag, const std::filesystem::path& path);

}  // namespace edmund
