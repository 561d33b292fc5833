#pragma once

#include "edmund/app/config.h"

namespace edmund {

/// The weights that a new run starts from: by the config's seed, or `training.init`'s.
void initialize(Experiment& experiment);

}  // namespace edmund
