#pragma once

#include "compare_curves.h"

#include <vector>

namespace edmund {

class Page;

/// Two factors of a comparison in one table, with a metric in the cells: of one model variants ×
/// budgets, and the two settings in which its variants differ if there are two.
void add_factors(Page& page, const Comparison& comparison, const ComparisonTable& table,
                 const std::vector<Curve>& of_model);
/// Models × variants at the largest budget that all have.
void add_model_factors(Page& page, const ComparisonTable& table);

/// Each metric against the weight of guidance: a curve for cells that differ in the weight alone.
/// Nothing where no cells do.
void add_guidance(Page& page, const ComparisonTable& table, const std::vector<Curve>& curves);

/// Fréchet distance against the images that a model was trained on: a curve for each run of which
/// several checkpoints are compared. Nothing where none are.
void add_training_lengths(Page& page, const ComparisonTable& table, const std::vector<Curve>& curves);

/// The settings in which variants differ as a table, and all settings of each to be unfolded.
void add_settings(Page& page, const Comparison& comparison, const ComparisonTable& table,
                  const std::vector<Curve>& curves);

}  // namespace edmund
