#include "edmund/core/files.h"
#include "edmund/core/parsed_json.h"
#include "edmund/core/text.h"
#include "edmund/report/html.h"
#include "edmund/report/svg.h"
#include "edmund/studies/ablate.h"

#include <nlohmann/json.hpp>
#include <sstream>

namespace edmund {
namespace {

namespace fs = std::filesystem;

std::string interval(const Measured& found) {
  if (!found.low) return short_number(found.value);
  return format("{} [{}, {}]", short_number(found.value), short_number(*found.low), short_number(*found.high));
}

void add_summaries(Page& page, const std::vector<ArmSummary>& arms) {
  std::vector<std::vector<std::string>> rows;
  for (const ArmSummary& arm : arms)
    rows.push_back({arm.arm, arm.set, std::to_string(arm.values.size()),
                    format("{} ± {}", short_number(arm.mean), short_number(arm.seed_error)),
                    format("[{}, {}]", short_number(arm.low), short_number(arm.high)),
                    arm.times_baseline
                        ? format("{} ± {}", short_number(*arm.times_baseline), short_number(arm.times_error))
                        : "–"});
  page.table({"arm", "what is set", "seeds", "Fréchet distance", "of sampling alone", "times the baseline"}, rows);
  page.paragraph(
      "Geometric means over the seeds, ± the standard error by their spread; beside it the interval of the bootstrap, "
      "which knows only the images that were drawn. Ratios are those of trainings of the same seed.");
}

Series loss_of(const AblationArm& training, const fs::path& out) {
  Series loss{.label = training.name};
  std::istringstream lines(read_file(folder_of(training, out).metrics()));
  for (std::string line; std::getline(lines, line);)
    if (const auto entry = parsed_json<nlohmann::json>(line);
        member(entry, "loss").is_number() && member(entry, "images").is_number()) {
      loss.x.push_back(entry["images"]);
      loss.y.push_back(entry["loss"]);
    }
  return loss;
}

void add_effects(Page& page, const std::vector<MainEffect>& effects, bool seeds) {
  page.section("Main effects",
               format("Geometric mean of the Fréchet distance over all trainings with a level, as a multiple of that "
                      "over all. 95 % intervals by {}.",
                      seeds ? "the spread over seeds" : "the bootstrap alone"));
  std::vector<std::vector<std::string>> lines;
  for (const auto& [axis, level, factor, low, high] : effects)
    lines.push_back({axis, level, format("{} [{}, {}]", short_number(factor), short_number(low), short_number(high))});
  page.table({"axis", "level", "factor"}, lines);
}

}  // namespace

void add_ablation(Page& page, const AblationPlan& plan, const fs::path& out, const ComparisonTable& table) {
  const bool seeds = plan.several_seeds();
  page.section("Arms",
               "Trained from the same seeds on the same images in the same order. Distances are of the first "
               "variant at the largest budget.");
  if (seeds)
    if (const auto summaries = arm_summaries(plan, table); !summaries.empty()) add_summaries(page, summaries);
  std::vector<std::vector<std::string>> rows;
  Plot losses{.title = "Training loss", .x_label = "images", .y_label = "loss", .log_y = true, .width = 1100};
  for (const AblationArm& training : plan.arms) {
    const CellScore* score = main_score(table, training.name);
    rows.push_back({training.name, training.set_text(), score != nullptr ? interval(score->measured) : "–",
                    score != nullptr && score->difference ? interval(*score->difference) : "–"});
    losses.series.push_back(loss_of(training, out));
  }
  page.table({seeds ? "training" : "arm", "what is set", "Fréchet distance", "less the baseline"}, rows);
  if (!seeds) page.paragraph("Training itself is one draw: another seed would move the arms. `seeds:` trains more.");
  if (const auto effects = main_effects(plan, table); !effects.empty()) add_effects(page, effects, seeds);
  page.plot(losses, "Losses of different targets are in different units: only arms of one target compare.");
}

}  // namespace edmund
