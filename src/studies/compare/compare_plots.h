#pragma once

#include "edmund/studies/comparison_table.h"

#include <string>

namespace edmund {

class Page;

/// Fréchet distance against evaluations and time with their Pareto fronts, distance to the ODE's
/// solution, and its order of convergence.
void add_plots(Page& page, const ComparisonTable& table, const std::string& model);

}  // namespace edmund
