#pragma once

#include "edmund/core/options.h"
#include "edmund/generation/sampling.h"

namespace edmund {

/// Reads a `guidance:` mapping into `sampling`, whose grid is known, and adds guidance to its name.
/// Mistakes are recorded, a grid that visits noise levels which the guide does not know among them.
void read_guidance(Options& guidance, Sampling& sampling, const GuideLoader& load);

/// Throws Error with both shapes if the guide draws images of another shape or number of classes.
void require_guide_fits(const GuideModel& guide, const ModelShape& shape);

/// Records it if a model of this shape cannot be guided like that; warns if its "no class" was not
/// trained.
void check_guidance(Options& sampling_options, const Sampling& sampling, const ModelShape& shape, double label_dropout);

}  // namespace edmund
