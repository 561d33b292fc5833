// completion: what a shell needs to complete edmund's commands, flags, names and keys.
//
//   edmund completion bash|zsh|fish
//
// bash: source <(edmund completion bash); zsh: the same, after compinit; fish: edmund completion
// fish | source

#include "edmund/commands/command.h"
#include "edmund/core/text.h"
#include "families.h"
#include "words.h"

#include <iostream>
#include <memory>

namespace edmund {
namespace {

struct Words {
  std::vector<CommandWord> commands = command_words();
  std::vector<KeyWord> keys = key_words();
  std::vector<Family> lists = families();
};

// 'text' for a shell: fish and the Bourne shells agree where no ' and \ are in it. zsh runs what
// stands between two ` of a description.
std::string shell_text(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += "’";
    else if (c != '\\' && c != '`' && c != '$')
      out += c;
  }
  return out.append("'");
}

void add(std::string& list, std::string_view separator, std::string_view word) {
  list.append(list.empty() ? "" : separator).append(word);
}

std::string flags_of(const CommandWord& command) {
  std::string out;
  for (const auto& flag : command.flags)
    if (!flag.is_positional) add(out, " ", flag.flag);
  return out;
}

std::string names_of(const Family& family) {
  std::string out;
  for (const auto& entry : family.entries) add(out, " ", entry.name);
  return out;
}

std::string values_of(const KeyWord& key) {
  const std::vector<std::string_view> values(key.values.begin(), key.values.end());
  return join(values, " ");
}

void print_bash(const Words& words) {
  std::string commands, with_keys, keys;
  for (const auto& command : words.commands) {
    add(commands, " ", command.name);
    if (command.takes_keys) add(with_keys, "|", command.name);
  }
  for (const auto& key : words.keys) add(keys, " ", key.key + "=");
  std::cout << R"(_edmund() {
  local line="${COMP_LINE:0:COMP_POINT}" word="" offered="" name
  local -a words
  read -ra words <<< "$line"
  [[ $line == *" " ]] || { word="${words[${#words[@]}-1]}"; unset "words[${#words[@]}-1]"; }
  COMPREPLY=()
  case ${words[1]} in
    "") offered=")"
            << commands << "\" ;;\n";
  for (const auto& command : words.commands) {
    std::cout << "    " << command.name << ") [[ $word == -* ]] && offered=\"" << flags_of(command) << "\" ;;\n";
  }
  std::cout << "  esac\n  if [[ ${words[1]} == completion ]]; then offered=\"bash zsh fish\"; fi\n"
            << "  if [[ ${words[1]} == list && $word != -* ]]; then\n    case ${words[2]} in\n      \"\") offered=\"";
  for (const auto& list : words.lists) std::cout << list.name << ' ';
  std::cout << "\" ;;\n";
  for (const auto& list : words.lists)
    std::cout << "      " << list.name << ") offered=\"" << names_of(list) << "\" ;;\n";
  std::cout << "    esac\n  fi\n  case $word in\n";
  for (const auto& key : words.keys)
    if (!key.values.empty()) std::cout << "    " << key.key << "=*) offered=\"" << values_of(key) << "\" ;;\n";
  std::cout << "    *=*) return ;;\n  esac\n"
            << "  if [[ $word == *=* ]]; then\n"
            << "    COMPREPLY=($(compgen -W \"$offered\" -- \"${word#*=}\"))\n"
            << "    return\n  fi\n"
            << "  (( ${#words[@]} > 2 )) && [[ -z $offered && $word != -* && ${words[1]} =~ ^(" << with_keys
            << ")$ ]] && offered=\"" << keys << "\" && compopt -o nospace\n"
            << "  COMPREPLY=($(compgen -W \"$offered\" -- \"$word\"))\n"
            << "}\ncomplete -o default -F _edmund edmund\n";
}

void print_zsh(const Words& words) {
  std::cout << "#compdef edmund\n_edmund() {\n  local -a commands flags names keys\n"
            << "  if (( CURRENT == 2 )); then\n    commands=(\n";
  for (const auto& command : words.commands)
    std::cout << "      " << shell_text(command.name + ":" + command.about) << '\n';
  std::cout << "    )\n    _describe command commands\n    return\n  fi\n  case $words[2] in\n";
  for (const auto& command : words.commands) {
    std::cout << "    " << command.name << ") flags=(";
    for (const auto& flag : command.flags)
      if (!flag.is_positional) std::cout << shell_text(flag.flag + ":" + flag.about) << ' ';
    std::cout << ") ;;\n";
  }
  std::cout << "  esac\n  if [[ $PREFIX == -* ]]; then _describe flag flags; return; fi\n"
            << "  if [[ $words[2] == completion ]]; then compadd bash zsh fish; return; fi\n"
            << "  if [[ $words[2] == list ]]; then\n    case $CURRENT:$words[3] in\n      3:*) compadd";
  for (const auto& list : words.lists) std::cout << ' ' << list.name;
  std::cout << " ;;\n";
  for (const auto& list : words.lists) {
    std::cout << "      4:" << list.name << ") names=(";
    for (const auto& entry : list.entries)
      std::cout << shell_text(std::string(entry.name) + ":" + std::string(entry.about)) << ' ';
    std::cout << "); _describe name names ;;\n";
  }
  std::cout << "    esac\n    return\n  fi\n  case $PREFIX in\n";
  for (const auto& key : words.keys)
    if (!key.values.empty())
      std::cout << "    " << key.key << "=*) compset -P '*='; compadd " << values_of(key) << "; return ;;\n";
  std::cout << "    *=*) return ;;\n  esac\n  keys=(\n";
  for (const auto& key : words.keys) std::cout << "    " << shell_text(key.key + "=:" + key.about) << '\n';
  std::cout << "  )\n  _describe key keys -S ''\n  _files\n}\ncompdef _edmund edmund\n";
}

void print_fish(const Words& words) {
  std::string with_keys;
  for (const auto& command : words.commands) {
    std::cout << "complete -c edmund -n __fish_use_subcommand -f -a " << command.name << " -d "
              << shell_text(command.about) << '\n';
    if (command.takes_keys) with_keys.append(" ").append(command.name);
    for (const auto& flag : command.flags)
      if (!flag.is_positional)
        std::cout << "complete -c edmund -n '__fish_seen_subcommand_from " << command.name << "' -l "
                  << flag.flag.substr(2) << (flag.takes_value ? " -r" : "") << " -d " << shell_text(flag.about) << '\n';
  }
  std::cout << "complete -c edmund -n '__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'\n";
  for (const auto& list : words.lists) {
    std::cout << "complete -c edmund -n '__fish_seen_subcommand_from list; and not __fish_seen_subcommand_from "
              << list.name << "' -f -a " << list.name << '\n';
    for (const auto& entry : list.entries)
      std::cout << "complete -c edmund -n '__fish_seen_subcommand_from list; and __fish_seen_subcommand_from "
                << list.name << "' -f -a " << entry.name << " -d " << shell_text(entry.about) << '\n';
  }
  for (const auto& key : words.keys) {
    const auto offer = [&](const std::string& word) {
      std::cout << "complete -c edmund -n '__fish_seen_subcommand_from" << with_keys << "' -a " << shell_text(word)
                << " -d " << shell_text(key.about) << '\n';
    };
    if (key.values.empty()) offer(key.key + '=');
    for (const auto& value : key.values) offer(key.key + '=' + value);
  }
}

}  // namespace

Action make_completion(CLI::App& arguments) {
  const auto shell = std::make_shared<std::string>();
  arguments.add_option("shell", *shell, "bash, zsh or fish")->required();
  return [=] {
    if (*shell == "bash")
      print_bash({});
    else if (*shell == "zsh")
      print_zsh({});
    else if (*shell == "fish")
      print_fish({});
    else
      fail("edmund completion: expected bash, zsh or fish, found '{}'", *shell);
    return ExitCode::kDone;
  };
}

}  // namespace edmund
