// list: every name that a config can use, with one line about it and its source.
//
//   edmund list [FAMILY] [--json]

#include "edmund/commands/command.h"
#include "edmund/core/json_text.h"
#include "edmund/core/text.h"
#include "edmund/data/dataset.h"
#include "edmund/diffusion/loss_weight.h"
#include "edmund/diffusion/noise_levels.h"
#include "edmund/diffusion/preconditioning.h"
#include "edmund/diffusion/time_grid.h"
#include "edmund/evaluation/features.h"
#include "edmund/evaluation/metrics.h"
#include "edmund/generation/presets.h"
#include "edmund/networks/network.h"
#include "edmund/samplers/sampler.h"
#include "edmund/schedules/noise_schedule.h"
#include "edmund/training/ema.h"
#include "edmund/training/objective.h"

#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace edmund {
namespace {

struct Family {
  std::string_view name, key;
  std::vector<Description> entries;
  std::vector<std::string> more = {};  // a word on each entry
};

std::vector<std::string> orders() {
  std::vector<std::string> out;
  for (const auto& entry : sampler_table()) out.push_back(stated_order(entry.order, entry.with));
  return out;
}

std::vector<Family> families() {
  const auto noise_inputs = noise_input_table();
  std::vector<Description> presets;
  for (const auto& preset : preset_table()) presets.push_back({preset.name, preset.about, preset.source});
  return {{"schedules", "sampling.schedule.type", describe(schedule_table())},
          {"samplers", "sampling.sampler.type", describe(sampler_table()), orders()},
          {"grids", "sampling.grid.type", describe(grid_table())},
          {"presets", "sampling.preset", presets},
          {"preconditionings", "preconditioning.type", describe(preconditioning_table())},
          {"noise-inputs", "preconditioning.noise_input", {noise_inputs.begin(), noise_inputs.end()}},
          {"noise-levels", "noise_levels.type", describe(noise_levels_table())},
          {"loss-weights", "loss_weight.type", describe(loss_weight_table())},
          {"networks", "network.type", describe(network_table())},
          {"objectives", "objective.type", describe(objective_table())},
          {"emas", "training.ema.type", describe(ema_table())},
          {"datasets", "data.type", describe(dataset_table())},
          {"features", "evaluation.features.type", describe(feature_table())},
          {"metrics", "evaluation.metrics", describe(metric_table())}};
}

void print(const Family& family) {
  std::cout << family.name << "  (" << family.key << ")\n";
  std::size_t width = 0;
  for (const auto& entry : family.entries) width = std::max(width, entry.name.size());
  for (std::size_t i = 0; i < family.entries.size(); ++i) {
    const Description& entry = family.entries[i];
    std::cout << "  " << entry.name << std::string(width + 2 - entry.name.size(), ' ') << entry.about
              << (family.more.empty() ? "" : ", " + family.more[i])
              << (entry.source == "-" ? "" : format("  [{}]", entry.source)) << '\n';
  }
}

}  // namespace

Action make_list(CLI::App& arguments) {
  const auto wanted = std::make_shared<std::string>();
  const auto json = std::make_shared<bool>(false);
  arguments.add_option("family", *wanted, "schedules, samplers, grids … (default: all)");
  arguments.add_flag("--json", *json, "as JSON");
  return [=] {
    std::vector<Family> all = families();
    std::vector<std::string_view> known;
    for (const auto& family : all) known.push_back(family.name);
    if (!wanted->empty()) {
      require(std::find(known.begin(), known.end(), *wanted) != known.end(), "edmund list: unknown family '{}'{}",
              *wanted, suggestion(*wanted, known));
      std::erase_if(all, [&](const Family& family) { return family.name != *wanted; });
    }
    nlohmann::ordered_json out;
    for (const auto& family : all) {
      for (std::size_t i = 0; i < family.entries.size(); ++i) {
        const Description& entry = family.entries[i];
        nlohmann::ordered_json row = {{"name", entry.name}, {"about", entry.about}, {"source", entry.source}};
        if (!family.more.empty()) row["order"] = family.more[i];
        out[std::string(family.name)].push_back(row);
      }
      if (!*json) print(family);
    }
    if (*json) std::cout << json_text(out, 2) << '\n';
    return ExitCode::kDone;
  };
}

}  // namespace edmund
