// compare: models × ways to sample them on the same seeds, with intervals and paired differences;
// every cell is kept and taken up again.
//
//   edmund compare COMPARISON.yaml [images=500 …] [--out DIR] [--shard I/N] [--figures DIR]
//       [--json]
//   edmund compare --explain [COMPARISON.yaml] [key.path…]
//   edmund compare --schema
//
// DIR (default runs/NAME) takes report.html, results.csv, results.json.

#include "comparing.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/text.h"
#include "edmund/report/figures.h"
#include "edmund/studies/comparison_files.h"
#include "explain.h"
#include "schema.h"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

// What tells the cell from others.
std::string name_of(const CellResult& cell, const ComparePlan& plan) {
  if (plan.models.size() == 1) return cell.variant;
  return plan.variants.size() == 1 ? cell.model : cell.model + ", " + cell.variant;
}

void print(const CellResult& cell, const ComparePlan& plan) {
  std::cout << std::left << std::setw(28) << name_of(cell, plan) << std::right << std::setw(5) << cell.nfe << " NFE";
  for (const auto& score : cell.scores) {
    const Measured& found = score.measured;
    std::cout << "   " << score.metric << ' ' << short_number(found.value);
    if (found.low) std::cout << " [" << short_number(*found.low) << ", " << short_number(*found.high) << ']';
  }
  if (cell.distance) std::cout << "   distance " << short_number(cell.distance->value);
  std::cout << std::endl;
}

// "2/8": the second of eight.
void read_shard(const std::string& text, CompareFlags& flags) {
  const std::size_t slash = text.find('/');
  require(slash != std::string::npos, "--shard: expected I/N with 1 <= I <= N, found {}", in_quotes(as_utf8(text)));
  flags.shards = integer_of("--shard", text.substr(slash + 1), {.low = 1});
  flags.shard = integer_of("--shard", text.substr(0, slash), {1, flags.shards}) - 1;
}

}  // namespace

void add_compare_flags(CLI::App& arguments, CompareFlags& flags, std::string_view what) {
  add_target(arguments, flags.target, what);
  arguments.get_option("target")->required(false);
  arguments.add_flag("--explain", flags.explain,
                     "every key of the file in a line: value in use, what it accepts, meaning; without a file, of any");
  arguments.add_flag("--schema", flags.schema, "JSON schema of such files, for editors");
  arguments.add_option("--out", flags.out, "folder of the results (default: runs/NAME)");
  arguments.add_option("--figures", flags.figures,
                       "folder for plots as SVG, PDF and CSV and tables as CSV and LaTeX, for papers");
  arguments
      .add_option_function<std::string>(
          "--shard", [&flags](const std::string& text) { read_shard(text, flags); },
          "I/N: this process takes every N-th part of the work, for job arrays")
      ->type_name("INT/INT");
  arguments.add_flag("--json", flags.json, "the table as JSON");
}

void require_file(const CompareFlags& flags, std::string_view command) {
  require(!flags.target.path.empty(), "edmund {}: a file is required (see `edmund {} --help`)", command, command);
}

ExitCode compared(Comparison& comparison, const CompareFlags& flags,
                  const std::function<void(Page&, const ComparisonTable&)>& more, std::span<const ModelLook> looks) {
  const auto variants = std::ranges::count(comparison.cells(), CellKind::kVariant, &CompareCell::kind);
  log::info("{} cells in {}", variants, comparison.out().string());
  comparison.run(flags.shard, flags.shards, [&](const CellResult& cell) {
    if (!flags.json) print(cell, comparison.plan());
  });
  if (!comparison.complete()) {
    log::info("this shard is done; the table comes once all are: run it again then");
    return ExitCode::kDone;
  }
  const ComparisonTable table = comparison.table();
  const std::string text = json_text(json_of(table), 1) + "\n";
  write_file(comparison.out() / "results.json", text);
  write_file(comparison.out() / "results.csv", csv_of(table));
  const auto more_of = [&](Page& page) {
    if (more) more(page, table);
  };
  const Page page = compare_page(comparison, table, more_of, looks);
  write_file(comparison.out() / "report.html", page.html());
  if (!flags.figures.empty())
    log::info("{} files for a paper in {}", write_figures(page, flags.figures).size(), flags.figures);
  if (flags.json)
    std::cout << text;
  else
    std::cout << "report: " << std::filesystem::absolute(comparison.out() / "report.html").string() << '\n';
  return ExitCode::kDone;
}

Action make_compare(CLI::App& arguments) {
  const auto flags = std::make_shared<CompareFlags>();
  add_compare_flags(arguments, *flags, "COMPARISON.yaml");
  return [=] {
    if (flags->schema) {
      std::cout << json_text(comparison_schema(), 1) << '\n';
      return ExitCode::kDone;
    }
    if (flags->explain) {
      // NOLINTNEXTLINE(performance-unnecessary-value-param): as FactsOf takes it
      const auto facts_of = [](Options root) { return comparison_facts(root); };
      explain_study(flags->target, kComparisonExample, facts_of, flags->json);
      return ExitCode::kDone;
    }
    require_file(*flags, "compare");
    if (!flags->out.empty()) require_folder_like("--out", flags->out);
    if (!flags->figures.empty()) require_folder_like("--figures", flags->figures);
    Comparison comparison(flags->target.path, flags->target.overrides, flags->out);
    return compared(comparison, *flags);
  };
}

}  // namespace edmund
