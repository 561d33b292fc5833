#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace edmund {

class Page;

/// Rows of a comparison's table: of a model, and of a variant if one is named.
std::vector<nlohmann::ordered_json> rows_of(const nlohmann::ordered_json& table, const std::string& model,
                                            const std::string& variant = "");

/// Fréchet distance against evaluations and time with their Pareto fronts, distance to the ODE's solution, and its order of convergence.
void add_plots(Page& page, const nlohmann::ordered_json& table, const std::string& model);

}  // namespace edmund
