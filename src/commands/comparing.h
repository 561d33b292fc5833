#pragma once

#include "edmund/commands/command.h"
#include "edmund/core/log.h"
#include "edmund/studies/compare.h"

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

// What compare and ablate share.
namespace edmund {

struct CompareFlags {
  Target target;
  std::string out, shard, figures;
  bool json = false, explain = false;
};
void add_compare_flags(CLI::App& arguments, CompareFlags& flags, std::string_view what);
/// Throws Error if no file is given.
void require_file(const CompareFlags& flags, std::string_view command);

/// "2/8" → {1, 8}; "" → {0, 1}.
std::pair<std::int64_t, std::int64_t> parse_shard(const std::string& text);

/// Runs the shard's cells, printing each, and once all are done writes report.html, results.csv and
/// results.json, and figures if asked to.
ExitCode compared(Comparison& comparison, std::int64_t shard, std::int64_t shards, const CompareFlags& flags,
                  const std::function<void(Page&, const ComparisonTable&)>& more = nullptr);

}  // namespace edmund
