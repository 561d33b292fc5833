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

/// What write_curvature() left in the run, if it did.
void add_curvature(Page& page, const RunFolder& run);

}  // namespace edmund
