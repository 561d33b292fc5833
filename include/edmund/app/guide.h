#pragma once

#include "edmund/app/config.h"

#include <filesystem>

namespace edmund {

/// The model of a run (its newest whole checkpoint) or of a checkpoint folder, with its EMA weights; how it samples is not read. Throws Error naming
/// what is missing.
GuideModel load_guide(const std::filesystem::path& run_or_checkpoint);

/// Reads `model` of a `guidance:` mapping into `sampling.guide`, and adds guidance to the name of the sampling. Mistakes are recorded.
void read_guide(Options& guidance, Sampling& sampling);

/// Throws Error with both shapes if the guide draws images of another shape or number of classes.
void require_guide_fits(const GuideModel& guide, const ModelShape& shape);

/// Records it if a model of this shape cannot be guided like that; warns if its "no class" was not trained.
void check_guidance(Options& options, const Sampling& sampling, const ModelShape& shape, double label_dropout);

}  // namespace edmund
