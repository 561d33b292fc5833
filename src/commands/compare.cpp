// compare: models × ways to sample them on the same seeds, with intervals and paired differences;
// every cell is kept and taken up again.
//
//   edmund compare COMPARISON.yaml [images=500 …] [--out DIR] [--shard I/N] [--json]      DIR (default runs/NAME): report.html, results.csv, results.json

#include "comparing.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "edmund/report/svg.h"

#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

using nlohmann::ordered_json;

// What tells the row from others.
std::string name_of(const ordered_json& row, const ComparePlan& plan) {
  const std::string model = row["model"], variant = row["variant"];
  if (plan.models.size() == 1) return variant;
  return plan.variants.size() == 1 ? model : model + ", " + variant;
}

void print(const ordered_json& row, const ComparePlan& plan) {
  std::cout << std::left << std::setw(28) << name_of(row, plan) << std::right << std::setw(5)
            << row["nfe"].get<std::int64_t>() << " NFE";
  for (const auto& [metric, score] : row["scores"].items()) {
    std::cout << "   " << metric << ' ' << short_number(score["value"].get<double>());
    if (score.contains("low"))
      std::cout << " [" << short_number(score["low"].get<double>()) << ", " << short_number(score["high"].get<double>())
                << ']';
  }
  if (row.contains("distance")) std::cout << "   distance " << short_number(row["distance"]["value"].get<double>());
  std::cout << std::endl;
}

}  // namespace

void add_compare_flags(CLI::App& arguments, CompareFlags& flags, std::string_view what) {
  add_target(arguments, flags.target, what);
  arguments.add_option("--out", flags.out, "folder of the results (default: runs/NAME)");
  arguments.add_option("--shard", flags.shard, "I/N: this process takes every N-th part of the work, for job arrays");
  arguments.add_flag("--json", flags.json, "the table as JSON");
}

std::pair<std::int64_t, std::int64_t> parse_shard(const std::string& text) {
  if (text.empty()) return {0, 1};
  const std::size_t slash = text.find('/');
  const std::int64_t index = parse_integer(text.substr(0, slash)).value_or(0),
                     count = slash == std::string::npos ? 0 : parse_integer(text.substr(slash + 1)).value_or(0);
  require(count >= 1 && index >= 1 && index <= count, "--shard: expected I/N with 1 <= I <= N, found '{}'", text);
  return {index - 1, count};
}

ExitCode compared(Comparison& comparison, std::int64_t shard, std::int64_t shards, bool json,
                  const std::function<void(Page&, const ordered_json&)>& more) {
  log::info("{} cells in {}", comparison.cells().size(), comparison.out().string());
  comparison.run(shard, shards, [&](const CompareCell&, const std::string& scores) {
    if (!json) print(ordered_json::parse(scores), comparison.plan());
  });
  if (!comparison.complete()) {
    log::info("this shard is done; the table comes once all are: run it again then");
    return ExitCode::kDone;
  }
  const ordered_json table = comparison.table();
  write_file(comparison.out() / "results.json", table.dump(1) + "\n");
  write_file(comparison.out() / "results.csv", compare_csv(table));
  write_file(comparison.out() / "report.html", compare_page(comparison, table, [&](Page& page) {
               if (more) more(page, table);
             }));
  if (json)
    std::cout << table.dump(1) << '\n';
  else
    std::cout << "report: " << std::filesystem::absolute(comparison.out() / "report.html").string() << '\n';
  return ExitCode::kDone;
}

Action make_compare(CLI::App& arguments) {
  const auto flags = std::make_shared<CompareFlags>();
  add_compare_flags(arguments, *flags, "COMPARISON.yaml");
  return [=] {
    const auto [shard, shards] = parse_shard(flags->shard);
    Comparison comparison(flags->target.path, flags->target.overrides, flags->out);
    return compared(comparison, shard, shards, flags->json);
  };
}

}  // namespace edmund
