// grid: the noise levels that a config's grid visits, one a line and to the last digit, for other
// programs, or as a grid file.
//
//   edmund grid CONFIG|RUN [sampling.grid.steps=10 …] [--out FILE.yaml] [--json]

#include "edmund/app/config.h"
#include "edmund/commands/command.h"
#include "edmund/core/format.h"
#include "edmund/core/json_text.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

namespace edmund {

Action make_print_grid(CLI::App& arguments) {
  const auto target = std::make_shared<Target>();
  const auto out = std::make_shared<std::string>();
  const auto json = std::make_shared<bool>(false);
  add_target(arguments, *target, "CONFIG.yaml or RUN");
  arguments.add_option("--out", *out, "also writes a file that 'sampling.grid={type: file, file: FILE}' reads");
  arguments.add_flag("--json", *json, "sigma, t and s of each level, as JSON");
  return [=] {
    if (!out->empty()) require_file_like("--out", *out);
    const Sampling sampling = construct(parse(options_of(*target)), Needs::kSettings).sampling;
    std::vector<double> sigmas;
    nlohmann::ordered_json levels = nlohmann::ordered_json::array();
    for (const double t : sampling.grid.t) {
      sigmas.push_back(sampling.schedule->sigma(t));
      levels.push_back({{"sigma", sigmas.back()}, {"t", t}, {"s", sampling.schedule->scale(t)}});
      if (!*json) std::cout << number_text(sigmas.back()) << '\n';
    }
    if (*json)
      std::cout << json_text(nlohmann::ordered_json{{"sampling", sampling.name}, {"levels", levels}}, 2) << '\n';
    if (!out->empty()) write_grid_file(*out, sigmas, "edmund grid: " + sampling.name);
    return ExitCode::kDone;
  };
}

}  // namespace edmund
