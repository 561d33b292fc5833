#pragma once

#include "edmund/generation/sampling.h"

#include <filesystem>

namespace edmund {

/// The model of a run (its newest whole checkpoint) or of a checkpoint folder, with its EMA
/// weights; how it samples is not read. A GuideLoader. Throws Error naming what is missing.
GuideModel load_guide(const std::filesystem::path& run_or_checkpoint);

}  // namespace edmund
