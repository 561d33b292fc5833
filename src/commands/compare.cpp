// compare: models × ways to sample them on the same seeds, with intervals and paired differences; every cell is kept and taken up again.
//
//   edmund compare COMPARISON.yaml [images=500 …] [--out DIR] [--shard I/N] [--json]      DIR (default runs/NAME): report.html, results.csv, results.json

#include "edmund/app/compare.h"

#include "edmund/app/command.h"
#include "edmund/core/files.h"
#include "edmund/core/log.h"
#include "edmund/core/text.h"
#include "edmund/evaluation/svg.h"

#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

using nlohmann::ordered_json;

struct Flags {
  Target target;
  std::string out, shard;
  bool json = false;
};

// "2/8" → {1, 8}.
std::pair<std::int64_t, std::int64_t> parse_shard(const std::string& text) {
  if (text.empty()) return {0, 1};
  const std::size_t slash = text.find('/');
  const auto index = parse_integer(text.substr(0, slash));
  const auto count = slash == std::string::npos ? std::nullopt : parse_integer(text.substr(slash + 1));
  require(index && count && *count >= 1 && *index >= 1 && *index <= *count, "--shard: expected I/N with 1 <= I <= N, found '{}'",
          text);
  return {*index - 1, *count};
}

void print(const ordered_json& row) {
  std::cout << std::left << std::setw(28) << row["variant"].get<std::string>() << std::right << std::setw(5)
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

ExitCode compare(const Flags& flags) {
  const auto [shard, shards] = parse_shard(flags.shard);
  Comparison comparison(flags.target.path, flags.target.overrides, flags.out);
  const auto cells = std::ssize(comparison.cells());
  log::info("{} cells in {}", cells, comparison.out().string());
  comparison.run(shard, shards, [&](const CompareCell&, const std::string& scores) {
    if (!flags.json) print(ordered_json::parse(scores));
  });
  if (!comparison.complete()) {
    log::info("this shard is done; run the others, then once without --shard for the table");
    return ExitCode::kDone;
  }
  const ordered_json table = comparison.table();
  write_file(comparison.out() / "results.json", table.dump(1) + "\n");
  write_file(comparison.out() / "results.csv", compare_csv(table));
  write_file(comparison.out() / "report.html", compare_page(comparison, table));
  if (flags.json)
    std::cout << table.dump(1) << '\n';
  else
    std::cout << "report: " << std::filesystem::absolute(comparison.out() / "report.html").string() << '\n';
  return ExitCode::kDone;
}

}  // namespace

Action make_compare(CLI::App& arguments) {
  const auto flags = std::make_shared<Flags>();
  add_target(arguments, flags->target, "COMPARISON.yaml");
  arguments.add_option("--out", flags->out, "folder of the results (default: runs/NAME)");
  arguments.add_option("--shard", flags->shard, "I/N: this process takes every N-th cell, for job arrays");
  arguments.add_flag("--json", flags->json, "the table as JSON");
  return [=] { return compare(*flags); };
}

}  // namespace edmund
