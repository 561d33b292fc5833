#pragma once

#include "edmund/schedules/noise_schedule.h"

#include <string>
#include <vector>

namespace edmund {

/// What a schedule breaks of its contract, one sentence for each property, with the first time
/// where; empty if it keeps all. Looks at the ends of times() and at 600 times between, which crowd
/// towards both ends:
///
///   0 < s <= 1 and ds/dt <= 0;  0 < σ < ∞, σ strictly increasing, dσ/dt > 0;  σ finite on domain()
///   σ(time(σ)) = σ and time(σ(t)) = t to 1e-9 of their size
///   both rates are those of central differences to 1e-7 (of a table: between its entries)
///
/// Not for a snapped() schedule, whose time() is no inverse.
std::vector<std::string> violations(const NoiseSchedule& schedule);

}  // namespace edmund
