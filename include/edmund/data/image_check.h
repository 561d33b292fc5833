#pragma once

#include "edmund/data/dataset.h"

#include <cstdint>
#include <limits>

namespace edmund {

/// Reads images on all threads until all are read or `seconds` have passed, and answers how many
/// were. Throws Error if some are damaged, naming the first ten and their number. Shows progress.
std::int64_t check_images(const Dataset& dataset, double seconds = std::numeric_limits<double>::infinity());

}  // namespace edmund
