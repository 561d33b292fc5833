#include "edmund/commands/command.h"

#include "edmund/app/run.h"
#include "edmund/core/log.h"
#include "edmund/core/stop.h"
#include "edmund/core/text.h"
#include "words.h"

#include <filesystem>
#include <iostream>

namespace edmund {
namespace {

constexpr std::string_view kVersion = EDMUND_VERSION;

std::string help() {
  std::string out = format(
      "edmund {} - continuous diffusion: train, sample, measure\n\nusage: edmund COMMAND [arguments]   (edmund COMMAND "
      "--help)\n\n",
      kVersion);
  for (const auto& command : command_table())
    out += format("  {}{}{}\n", command.name, std::string(15 - command.name.size(), ' '), command.about);
  return out + "\nexit codes: " + std::string(kExitCodes);
}

// CLI11 names what it does not know; we add the nearest thing that it does.
[[noreturn]] void explain(const CLI::App& arguments, const CLI::ParseError& error) {
  std::string message = error.what();
  for (auto& c : message)
    if (c == '\n') c = ' ';
  std::vector<std::string> flags;
  for (const auto* option : arguments.get_options())
    for (const auto& name : option->get_lnames()) flags.push_back("--" + name);
  const std::vector<std::string_view> known(flags.begin(), flags.end());
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr)
    if (const auto dashes = message.find("--"); dashes != std::string::npos)
      message += suggestion(message.substr(dashes, message.find(' ', dashes) - dashes), known);
  fail("{}: {} (see `{} --help`)", arguments.get_name(), message, arguments.get_name());
}

}  // namespace

Options options_of(const Target& target) {
  const std::filesystem::path path = target.path;
  if (std::filesystem::is_directory(path)) return run_options({path}, target.overrides);
  return Options::read_file(path, target.overrides);
}

void add_target(CLI::App& arguments, Target& target, std::string_view what) {
  arguments.add_option("target", target.path, std::string(what))->required()->option_text(std::string(what));
  arguments.add_option("overrides", target.overrides, "key.path=value: replaces a value of the config")
      ->option_text("key.path=value ...");
}

ExitCode run_command(std::vector<std::string> arguments) {
  if (arguments.empty() || arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help") {
    std::cout << help();
    return arguments.empty() ? ExitCode::kBadInput : ExitCode::kDone;
  }
  if (arguments[0] == "--version") {
    std::cout << "edmund " << kVersion << '\n';
    return ExitCode::kDone;
  }
  std::vector<std::string_view> known;
  for (const auto& command : command_table()) known.push_back(command.name);
  for (const auto& command : command_table()) {
    if (command.name != arguments[0]) continue;
    CLI::App app(std::string(command.about), format("edmund {}", command.name));
    CommonFlags common;
    add_common_flags(app, common);
    const Action action = command.make(app);
    try {
      // CLI11 takes them last first
      app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend() - 1));
    } catch (const CLI::CallForHelp&) {
      std::cout << app.help();
      return ExitCode::kDone;
    } catch (const CLI::ParseError& error) {
      explain(app, error);
    }
    for (const CLI::Option* option : app.get_options())
      for (const std::string& given : option->results())
        require(!given.empty(), "edmund {}: {}: expected a value, found none", command.name, option->get_name());
    log::set_level(common.quiet ? log::Level::kWarn : common.verbose ? log::Level::kDebug : log::Level::kInfo);
    const StopRequest stop;
    try {
      return action();
    } catch (const Interrupted& reason) {
      log::info("{}", reason.what());
      return ExitCode::kInterrupted;
    }
  }
  fail("edmund: unknown command '{}'{}", arguments[0], suggestion(arguments[0], known));
}

}  // namespace edmund
