#pragma once

#include "edmund/app/run.h"

#include <string>

namespace edmund {

/// Checksum of the weights that a model draws with: of its checkpoint's files and its guide's.
std::string weights_identity(const TrainedModel& trained);

/// Checksum of all that a model's drawings depend on beside seed and number: the checkpoint's files
/// and its guide's, `sampling:` with its defaults, precision and kernels. Where the run lies, the
/// device and the number of threads have no part in it.
std::string identity_of(const TrainedModel& trained);

}  // namespace edmund
