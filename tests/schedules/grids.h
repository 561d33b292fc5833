#pragma once

#include "edmund/core/error.h"
#include "edmund/diffusion/time_grid.h"
#include "schedules/cases.h"
#include "support/catch.h"

#include <string>
#include <string_view>

namespace edmund::testing {

/// The grid that the options describe.
inline TimeGrid grid(std::string_view yaml, const NoiseSchedule& schedule, Interval network = {0.0, 1e300}) {
  return made(make_grid, yaml, schedule, network);
}

/// Whether the options are refused with `part` in the message. A valid grid comes back all the
/// same.
inline bool has_message(std::string_view yaml, const NoiseSchedule& schedule, const std::string& part,
                        Interval network = {0.0, 1e300}) {
  Options all = options(yaml);
  const TimeGrid result = make_grid(all, schedule, network);
  CHECK(!result.t.empty());
  for (const double t : result.t) CHECK(schedule.times().contains(t));
  try {
    all.finish();
  } catch (const Error& error) {
    INFO(error.what());
    CHECK(std::string(error.what()).find(part) != std::string::npos);
    return true;
  }
  return false;
}

}  // namespace edmund::testing
