#pragma once

#include "edmund/commands/command.h"
#include "edmund/core/log.h"
#include "edmund/studies/compare.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>

// What compare and ablate share.
namespace edmund {

struct CompareFlags {
  Target target;
  std::string out, figures;
  std::int64_t shard = 0, shards = 1;  // counted from 0
  bool json = false, explain = false, schema = false;
};
void add_compare_flags(CLI::App& arguments, CompareFlags& flags, std::string_view what);
/// Throws Error if no file is given.
void require_file(const CompareFlags& flags, std::string_view command);

/// Runs the shard's cells, printing each, and once all are done writes report.html, results.csv and
/// results.json, and figures if asked to.
ExitCode compared(Comparison& comparison, const CompareFlags& flags,
                  const std::function<void(Page&, const ComparisonTable&)>& more = nullptr,
                  std::span<const ModelLook> looks = {});

}  // namespace edmund
