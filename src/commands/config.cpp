// config: the config as edmund understands it: bases merged, overrides applied, defaults filled in.
// The output is a config itself.
//
//   edmund config CONFIG|RUN [key=value…] [--json]

#include "edmund/app/config.h"

#include "edmund/commands/command.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

namespace edmund {

Action make_config(CLI::App& arguments) {
  const auto target = std::make_shared<Target>();
  const auto json = std::make_shared<bool>(false);
  add_target(arguments, *target, "CONFIG.yaml or RUN");
  arguments.add_flag("--json", *json, "key paths and values as one JSON object");
  return [=] {
    const Experiment experiment = construct(parse(options_of(*target)), Needs::kData);
    const std::string text = experiment.config.options.resolved();
    if (*json)
      std::cout << nlohmann::ordered_json(Options::read_text(text, "config").flattened()).dump(2) << '\n';
    else
      std::cout << text;
    return ExitCode::kDone;
  };
}

}  // namespace edmund
