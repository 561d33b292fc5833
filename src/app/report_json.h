#pragma once

#include "edmund/app/run.h"

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

// What lies in a run for its report. Numbers that were not finite, null in files, are missing in
// what these return.
namespace edmund {

/// Lines of a log that name their position, `images`.
std::vector<nlohmann::json> read_lines(const std::filesystem::path& file);

/// The number of that name in an object; NaN if there is none.
double number_or_nan(const nlohmann::json& object, const char* key);

/// Rows of scores.json, objects whose `scores` are a list of such; an empty list if there are none.
nlohmann::json read_scores(const RunFolder& run);

}  // namespace edmund
