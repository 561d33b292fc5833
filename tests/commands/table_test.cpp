// What holds for every command of the table.
#include "edmund/commands/command.h"
#include "support/catch.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <sstream>

namespace edmund::testing {
namespace {

using Catch::Matchers::ContainsSubstring;

// Its arguments, as it declares them.
std::unique_ptr<CLI::App> arguments_of(const Command& command) {
  auto arguments = std::make_unique<CLI::App>(std::string(command.about), std::string(command.name));
  command.make(*arguments);
  return arguments;
}

std::string printed_by(const std::vector<std::string>& arguments) {
  std::ostringstream out;
  std::streambuf* const before = std::cout.rdbuf(out.rdbuf());
  const ExitCode code = run_command(arguments);
  std::cout.rdbuf(before);
  CHECK(code == ExitCode::kDone);
  return out.str();
}

// The message of the Error, which main() prints before it returns 2; empty if there is none.
std::string refusal_of(const std::vector<std::string>& arguments) {
  try {
    run_command(arguments);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("--help of every command names and explains each of its arguments", "[app]") {
  for (const Command& command : command_table()) {
    INFO(command.name);
    CHECK_THAT(printed_by({"--help"}), ContainsSubstring("  " + std::string(command.name) + " "));
    const std::string help = printed_by({std::string(command.name), "--help"});
    CHECK_THAT(help, ContainsSubstring(std::string(command.about)));
    const auto arguments = arguments_of(command);
    for (const CLI::Option* option : arguments->get_options()) {
      INFO(option->get_name());
      CHECK(option->get_description().size() > 3);
      CHECK_THAT(help, ContainsSubstring(option->get_description()));
      for (const std::string& name : option->get_lnames()) CHECK_THAT(help, ContainsSubstring("--" + name));
    }
  }
}

TEST_CASE("every command refuses an unknown flag in one line that names it", "[app]") {
  for (const Command& command : command_table()) {
    std::vector<std::string> all{std::string(command.name)};
    const auto arguments = arguments_of(command);
    for (const CLI::Option* option : arguments->get_options()) {
      if (!option->get_required()) continue;
      if (!option->get_positional()) all.push_back("--" + option->get_lnames().front());
      all.push_back("1");
    }
    all.push_back("--no-such-flag");
    const std::string message = refusal_of(all);
    INFO(command.name << ": " << message);
    CHECK_THAT(message, ContainsSubstring("--no-such-flag"));
    CHECK_THAT(message, ContainsSubstring("edmund " + std::string(command.name) + " --help"));
    CHECK(message.find('\n') == std::string::npos);
  }
}

TEST_CASE("every command that needs an argument says so in one line without it", "[app]") {
  for (const Command& command : command_table()) {
    const auto arguments = arguments_of(command);
    const auto all = arguments->get_options();
    if (std::none_of(all.begin(), all.end(), [](const CLI::Option* option) { return option->get_required(); }))
      continue;
    const std::string message = refusal_of({std::string(command.name)});
    INFO(command.name << ": " << message);
    CHECK_THAT(message, ContainsSubstring("required"));
    CHECK(message.find('\n') == std::string::npos);
  }
}

TEST_CASE("every flag that takes integers refuses other ways to write them, in one line", "[app]") {
  std::size_t flags = 0;
  for (const Command& command : command_table()) {
    const auto arguments = arguments_of(command);
    for (const CLI::Option* asked : arguments->get_options()) {
      const std::string form = asked->get_type_name();
      if (!form.starts_with("INT")) continue;
      ++flags;
      std::vector<std::string> before{std::string(command.name)};
      for (const CLI::Option* option : arguments->get_options()) {
        if (!option->get_required() || option == asked) continue;
        if (!option->get_positional()) before.push_back("--" + option->get_lnames().front());
        before.push_back("1");
      }
      const std::string flag = "--" + asked->get_lnames().front();
      for (const std::string wrong :
           {"1e3", "4x", "0x10", "+3", "1_000", "3.0", "3 ", "three", "99999999999999999999"}) {
        auto all = before;
        all.push_back(flag);
        all.push_back(form.find('/') == std::string::npos ? wrong : wrong + "/" + wrong);
        const std::string message = refusal_of(all);
        INFO(command.name << ": " << message);
        CHECK(message.starts_with(flag + ": expected an integer from "));
        CHECK_THAT(message, ContainsSubstring("found '" + wrong + "'"));
        CHECK(message.find('\n') == std::string::npos);
      }
    }
  }
  CHECK(flags >= 19);
}

TEST_CASE("lists of integers are read with their runs, and refused part by part", "[app]") {
  const auto numbers = [](const std::string& text) { return integers_of("--numbers", text, {}, Runs::kTaken); };
  CHECK(numbers("0-3,7") == std::vector<std::int64_t>{0, 1, 2, 3, 7});
  CHECK(integers_of("--steps", "16,32", {2, 100}) == std::vector<std::int64_t>{16, 32});
  const auto refusal = [](const auto& read) -> std::string {
    try {
      read();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  CHECK_THAT(refusal([&] { numbers("0-1e3"); }),
             ContainsSubstring("--numbers: expected an integer") && ContainsSubstring("'1e3'"));
  CHECK_THAT(refusal([&] { numbers("3-1"); }), ContainsSubstring("from low to high, found '3-1'"));
  CHECK_THAT(refusal([&] { numbers("0-10000000"); }), ContainsSubstring("at most 10000000 integers"));
  CHECK_THAT(refusal([&] { numbers("1,,2"); }), ContainsSubstring("found ''"));
  CHECK_THAT(refusal([] { integers_of("--steps", "16-32", {2, 100}); }), ContainsSubstring("found '16-32'"));
}

}  // namespace edmund::testing
