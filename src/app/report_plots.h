#pragma once

#include "edmund/app/run.h"

#include <nlohmann/json_fwd.hpp>
#include <vector>

// Sections of a run's report.
namespace edmund {

class Page;

/// Loss over time and at each noise level, above the density of the levels that training drew.
/// `lines` of metrics.jsonl.
void add_training(Page& page, const Experiment& experiment, const std::vector<nlohmann::json>& lines,
                  const std::vector<nlohmann::json>& validation);

/// Clock, scale and preconditioning over the noise levels of the grid.
void add_schedule(Page& page, const Experiment& experiment);

/// Scores against the width of the average of the weights, of rows of scores.json that `edmund ema`
/// or `--ema` made, and what these averages are averages of.
void add_ema_curve(Page& page, const nlohmann::json& scores);

/// What write_curvature() left in the run, if it did.
void add_curvature(Page& page, const RunFolder& run);

}  // namespace edmund
