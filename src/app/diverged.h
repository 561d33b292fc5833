#pragma once

#include "edmund/app/run.h"
#include "edmund/training/divergence.h"

#include <string>

namespace edmund {

/// What a training that has diverged leaves: the batch that it began with, as
/// RUN/diverged/POSITION.safetensors, and warnings that name it, its images of the data and the
/// command that replays it. Returns the message of the error: what happened, the last healthy
/// checkpoint, and the command that goes on from it.
std::string told_divergence(const Experiment& experiment, const RunFolder& run, const Trainer& trainer,
                            const Diverged& reason);

}  // namespace edmund
