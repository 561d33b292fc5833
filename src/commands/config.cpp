// config: the config as edmund understands it: bases merged, overrides applied; what was filled in
// stands in comments, so that the output is a config itself, which says what was chosen.
//
//   edmund config CONFIG|RUN [key=value…] [--chosen] [--json]
//   edmund config --explain [CONFIG|RUN] [key=value…] [key.path…] [--json]
//   edmund config --schema

#include "edmund/app/config.h"

#include "edmund/commands/command.h"
#include "edmund/core/json_text.h"
#include "explain.h"
#include "schema.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

// The config with what was filled in as comments. The shape of the images is no default but what
// the data are, which is checked wherever the config is read: its four numbers stand as values.
std::string annotated(Options options) {
  Options image = options.child("image");
  for (const char* key : {"channels", "height", "width", "classes"}) image.set(key, image.value(key), "data");
  return options.annotated();
}

}  // namespace

Action make_config(CLI::App& arguments) {
  const auto target = std::make_shared<Target>();
  const auto json = std::make_shared<bool>(false), chosen = std::make_shared<bool>(false),
             explain = std::make_shared<bool>(false), schema = std::make_shared<bool>(false);
  add_target(arguments, *target, "CONFIG.yaml or RUN");
  arguments.get_option("target")->required(false);
  arguments.add_flag("--chosen", *chosen, "without what was filled in");
  arguments.add_flag("--json", *json, "key paths and values as one JSON object");
  arguments.add_flag(
      "--explain", *explain,
      "every key in a line: value in use, what it accepts, meaning; or only those of the key.paths named");
  arguments.add_flag("--schema", *schema, "JSON schema of configs, for editors");
  return [=] {
    if (*schema) {
      std::cout << json_text(config_schema(), 1) << '\n';
      return ExitCode::kDone;
    }
    if (*explain) {
      explain_config(*target, *json);
      return ExitCode::kDone;
    }
    require(!target->path.empty(), "edmund config: CONFIG.yaml or RUN is required");
    const Experiment experiment = construct(parse(options_of(*target)), Needs::kData);
    const Options& options = experiment.config.options;
    if (*json) {
      const std::string text = *chosen ? options.chosen() : options.resolved();
      const nlohmann::ordered_json values = Options::read_text(text, "config").flattened();
      std::cout << json_text(values, 2) << '\n';
    } else {
      std::cout << (*chosen ? options.chosen() : annotated(options));
    }
    return ExitCode::kDone;
  };
}

}  // namespace edmund
