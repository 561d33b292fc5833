// ablate: one config trained in several arms with the same seeds and data order, then scored as a
// comparison; goes on where it stopped.
//
//   edmund ablate ABLATION.yaml [key=value…] [--out DIR] [--shard I/N] [--json]
//   edmund ablate --explain [ABLATION.yaml] [key.path…]
//   edmund ablate --schema
//
// DIR (default runs/NAME) takes arms/, report.html, arms.csv, results.csv …

#include "edmund/studies/ablate.h"

#include "comparing.h"
#include "edmund/commands/command.h"
#include "edmund/core/json_text.h"
#include "explain.h"
#include "schema.h"

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

ExitCode ablate(const CompareFlags& flags) {
  if (!flags.out.empty()) require_folder_like("--out", flags.out);
  if (!flags.figures.empty()) require_folder_like("--figures", flags.figures);
  const AblationPlan plan = read_ablation(flags.target.path, flags.target.overrides);
  const std::filesystem::path out =
      flags.out.empty() ? std::filesystem::path("runs") / plan.name : std::filesystem::path(flags.out);
  if (const ExitCode code = train_arms(plan, out, flags.shard, flags.shards); code != ExitCode::kDone) return code;
  if (!trained(plan, out)) {
    log::info("this shard's arms are trained; the table comes once all are");
    return ExitCode::kDone;
  }
  Comparison comparison(write_comparison(plan, flags.target.path, flags.target.overrides, out), {}, out);
  const auto more = [&](Page& page, const ComparisonTable& table) {
    add_ablation(page, plan, out, table);
    write_arms(plan, out, table);
  };
  return compared(comparison, flags, more, looks_of(plan));
}

}  // namespace

Action make_ablate(CLI::App& arguments) {
  const auto flags = std::make_shared<CompareFlags>();
  add_compare_flags(arguments, *flags, "ABLATION.yaml");
  return [=] {
    if (flags->schema) {
      std::cout << json_text(ablation_schema(), 1) << '\n';
      return ExitCode::kDone;
    }
    if (flags->explain) {
      explain_study(flags->target, kAblationExample, ablation_facts, flags->json);
      return ExitCode::kDone;
    }
    require_file(*flags, "ablate");
    return ablate(*flags);
  };
}

}  // namespace edmund
