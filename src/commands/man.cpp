// man: the manual page, in roff.
//
//   edmund man > edmund.1; man ./edmund.1

#include "edmund/commands/command.h"
#include "explain.h"
#include "words.h"

#include <iostream>

namespace edmund {
namespace {

// Text between roff's requests.
std::string plain(std::string_view text) {
  std::string out = text.starts_with('.') || text.starts_with('\'') ? "\\&" : "";
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out;
}

void entry(std::string_view term, std::string_view about) {
  std::cout << ".TP\n.B " << plain(term) << '\n' << plain(about) << '\n';
}

void print_commands() {
  std::cout << ".SH COMMANDS\n";
  for (const CommandWord& command : command_words()) {
    std::cout << ".SS " << plain(command.name) << '\n' << plain(command.about) << '\n';
    for (const FlagWord& flag : command.flags)
      if (flag.flag != "--help" && flag.flag != "--quiet" && flag.flag != "--verbose")
        entry(flag.takes_value && !flag.is_positional ? flag.flag + " VALUE" : flag.flag, flag.about);
  }
}

void print_keys() {
  const std::vector<Family> all = families();
  std::cout << ".SH CONFIGS\nKeys of a config. Those of plugins: " << plain("edmund list FAMILY NAME")
            << "; all with their values: " << plain("edmund config --explain CONFIG") << ".\n";
  for (const OptionHelp& help : config_help()) {
    const OptionFacts& facts = help.facts;
    const std::string fallback = help.varies || facts.fallback.empty() ? "" : format("; default {}", facts.fallback);
    entry(facts.path,
          facts.kind == "mapping" ? facts.about : format("{} ({}{})", facts.about, accepted(facts, all), fallback));
  }
}

}  // namespace

Action make_man(CLI::App&) {
  return [] {
    std::cout << ".TH EDMUND 1 \"\" \"edmund " << EDMUND_VERSION << "\"\n"
              << ".SH NAME\nedmund \\- continuous diffusion: train, sample, measure\n"
              << ".SH SYNOPSIS\n.B edmund\n.I COMMAND\n[arguments]\n.br\n.B edmund\n.I COMMAND\n\\-\\-help\n"
              << ".SH OPTIONS\nOf every command:\n";
    entry("--help", "what the command takes");
    entry("--quiet", "warnings and errors only");
    entry("--verbose", "details too");
    print_commands();
    print_keys();
    std::cout << ".SH EXIT STATUS\n" << kExitCodes;
    return ExitCode::kDone;
  };
}

}  // namespace edmund
