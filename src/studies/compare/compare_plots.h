#pragma once

#include "compare_curves.h"

#include <vector>

namespace edmund {

class Page;

/// Fréchet distance against evaluations and time, with their Pareto fronts where the curves are of
/// one model, or as a list where all cost the same; distance to the ODE's solution, and its order
/// of convergence.
void add_plots(Page& page, const ComparisonTable& table, const std::vector<Curve>& curves);

}  // namespace edmund
