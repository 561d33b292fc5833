#include "families.h"

#include "edmund/app/evaluation.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "edmund/diffusion/loss_weight.h"
#include "edmund/diffusion/noise_levels.h"
#include "edmund/diffusion/preconditioning.h"
#include "edmund/diffusion/time_grid.h"
#include "edmund/evaluation/metrics.h"
#include "edmund/generation/presets.h"
#include "edmund/networks/adapter.h"
#include "edmund/networks/network.h"
#include "edmund/samplers/sampler.h"
#include "edmund/schedules/noise_schedule.h"
#include "edmund/training/ema.h"
#include "edmund/training/objective.h"

#include <algorithm>
#include <utility>

namespace edmund {
namespace {

using Make = std::function<void(Options&)>;

std::vector<std::string> orders() {
  std::vector<std::string> out;
  for (const auto& entry : sampler_table()) out.push_back(stated_order(entry.order, entry.with));
  return out;
}

// On schedules of different ranges, one of them a table.
std::vector<Make> grid_makes() {
  std::vector<Make> out;
  for (const char* type : {"edm", "vp", "ddpm"})
    out.push_back([type](Options& options) {
      Options schedule = Options::read_text(format("type: {}", type), "schedule");
      make_grid(options, *make_schedule(schedule));
    });
  return out;
}

void make_any_network(Options& options) {
  options.stand_on("{channels: 16, multipliers: [1, 2], blocks: 1, attention: [4]}", "small");
  make_network(options, {.image = {.channels = 1, .height = 8, .width = 8}, .num_classes = 2});
}

void read_noise_input_of_table(Options& options) {
  options.stand_on("schedule: ddpm", "table");
  read_noise_input(options);
}

// Without its files, which would take long to read where they are there.
void read_dataset(Options& options) {
  options.stand_on("root: /nowhere", "nowhere");
  make_dataset(options);
}

void make_any_objective(Options& options) {
  make_objective(options, {.levels = [](double u) { return u; }});
}

// What is read with these overrides, in one of the surroundings.
std::vector<OptionFacts> facts_with(const Make& make, const std::vector<std::string>& overrides) {
  Options options = Options::read_text("", "list", overrides);
  try {
    make(options);
  } catch (const Error&) {  // what follows the keys needs files that are not there
  }
  return options.facts();
}

}  // namespace

std::vector<Family> families() {
  const auto noise_inputs = noise_input_table();
  std::vector<Description> presets;
  for (const auto& preset : preset_table()) presets.push_back({preset.name, preset.about, preset.source});
  const DatasetInfo info{.name = "images", .size = 4, .channels = 1, .height = 8, .width = 8, .num_classes = 2};
  return {{"schedules", "sampling.schedule.type", describe(schedule_table()), {}, {make_schedule}},
          {"samplers", "sampling.sampler.type", describe(sampler_table()), orders(), {make_sampler}},
          {"grids", "sampling.grid.type", describe(grid_table()), {}, grid_makes()},
          {"presets", "sampling.preset", presets},
          {"preconditionings", "preconditioning.type", describe(preconditioning_table()), {}, {make_preconditioning}},
          {"noise-inputs",
           "preconditioning.noise_input.type",
           {noise_inputs.begin(), noise_inputs.end()},
           {},
           {read_noise_input, read_noise_input_of_table}},
          {"noise-levels", "noise_levels.type", describe(noise_levels_table()), {}, {make_noise_levels}},
          {"loss-weights", "loss_weight.type", describe(loss_weight_table()), {}, {make_loss_weight}},
          {"networks", "network.type", describe(network_table()), {}, {make_any_network}},
          {"adapters", "adapter.type", describe(adapter_table()), {}, {make_adapter}},
          {"objectives", "objective.type", describe(objective_table()), {}, {make_any_objective}},
          {"emas", "training.ema.type", describe(ema_table()), {}, {make_ema}},
          {"datasets", "data.type", describe(dataset_table()), {}, {read_dataset}},
          {"features", "evaluation.features.type", describe(feature_table()), {}, {[info](Options& options) {
             read_feature_keys(options, info);
           }}},
          {"metrics", "evaluation.metrics", describe(metric_table())}};
}

const Family* family_of(const OptionFacts& fact, const std::vector<Family>& all) {
  if (fact.path != "type" && !fact.path.ends_with(".type")) return nullptr;
  for (const Family& family : all) {
    std::vector<std::string_view> names;
    for (const auto& entry : family.entries) names.push_back(entry.name);
    // data sets are looked for by name, so that an unknown one does not hide what else is wrong
    const bool by_name = fact.accepts.empty() && std::find(names.begin(), names.end(), fact.fallback) != names.end();
    if (fact.accepts == join(names, " | ") || by_name) return &family;
  }
  return nullptr;
}

void merge(std::vector<OptionHelp>& all, std::vector<OptionFacts> more) {
  for (OptionFacts& facts : more) {
    const auto same =
        std::find_if(all.begin(), all.end(), [&](const OptionHelp& help) { return help.facts.path == facts.path; });
    if (same == all.end()) {
      all.push_back({std::move(facts)});
    } else if (same->facts.accepts != facts.accepts || same->facts.fallback != facts.fallback) {
      same->varies = true;
      if (same->facts.accepts != facts.accepts) same->facts.accepts.clear();
      if (same->facts.fallback != facts.fallback) same->facts.fallback.clear();
    }
  }
}

std::vector<std::string> alternatives(std::string_view accepts) {
  std::vector<std::string> out;
  while (!accepts.empty()) {
    const auto bar = std::min(accepts.find(" | "), accepts.size());
    out.emplace_back(accepts.substr(0, bar));
    accepts.remove_prefix(std::min(bar + 3, accepts.size()));
  }
  return out;
}

std::vector<OptionHelp> help_of(const Family& family, std::string_view entry) {
  std::vector<OptionHelp> out;
  if (family.make.empty()) return out;
  const std::string type = format("type={}", entry);
  for (const Make& make : family.make) merge(out, facts_with(make, {type}));
  const auto first = out;
  for (const OptionHelp& help : first) {
    if (help.facts.kind != "choice" || help.facts.path == "type") continue;
    for (const auto& other : alternatives(help.facts.accepts))
      merge(out, facts_with(family.make.front(), {type, format("{}={}", help.facts.path, other)}));
  }
  return without_options_of_plugins(std::move(out), families());
}

std::vector<OptionHelp> without_options_of_plugins(std::vector<OptionHelp> options, const std::vector<Family>& all) {
  std::vector<std::string> sections;
  for (const OptionHelp& help : options)
    if (help.facts.path != "type" && family_of(help.facts, all))
      sections.push_back(help.facts.path.substr(0, help.facts.path.size() - 4));
  std::erase_if(options, [&](const OptionHelp& help) {
    return std::any_of(sections.begin(), sections.end(), [&](const std::string& section) {
      return help.facts.path.starts_with(section) && help.facts.path != section + "type";
    });
  });
  return options;
}

}  // namespace edmund
