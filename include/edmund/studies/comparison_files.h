#pragma once

#include "edmund/studies/comparison_table.h"

#include <nlohmann/json_fwd.hpp>
#include <string>

// A comparison's results as JSON, both ways, and as CSV.
namespace edmund {

/// As in results.json and in the kept scores of a cell: what is not known is left out, a number
/// that is not finite is null.
nlohmann::ordered_json json_of(const Measured& measured);
nlohmann::ordered_json json_of(const CellScore& score);
nlohmann::ordered_json json_of(const CellResult& cell);
nlohmann::ordered_json json_of(const ComparisonTable& table);

/// The reverse: null is NaN. Throws Error naming `place` where the text is damaged.
Measured read_measured(const std::string& json, const std::string& place);
CellResult read_cell(const std::string& json, const std::string& place);

/// results.csv: a line for each metric of each cell, and for its distance to the solution of the
/// ODE.
std::string csv_of(const ComparisonTable& table);

}  // namespace edmund
