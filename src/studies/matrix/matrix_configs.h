#pragma once

#include "edmund/diffusion/preconditioning.h"
#include "edmund/studies/matrix.h"

#include <string>
#include <string_view>
#include <vector>

namespace edmund::matrix {

/// A row of the preconditioning table with its defaults.
Preconditioning preconditioning_of(std::string_view name);

/// What makes the schedule of that name, in a mapping behind `type: `: a row's name, or a name with
/// options.
std::string schedule_options(std::string_view name);

/// Every row of the schedule table and each of its variants, by itself.
std::vector<MatrixSchedule> measured_schedules();

/// Each of those with every preconditioning, and with every sampler's last step to its clean time:
/// which of these configs are refused, on the schedule's own range.
std::vector<MatrixConfig> tried_configs();

}  // namespace edmund::matrix
