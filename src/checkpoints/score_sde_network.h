#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace edmund {

/// What the modules of score_sde_pytorch's NCSN++ or DDPM++ with BigGAN blocks are as `unet`.
struct ScoreSdeNetwork {
  NamedTensors weights;           // in our names
  nlohmann::ordered_json config;  // `network:`, all but its filter
  std::int64_t channels = 0;      // of images
  bool fourier = false;           // embedding of the noise level: Fourier features, or sinusoids
};

/// Walks their list all_modules.N of `state`, in the order of evaluation. `resolution`: of the
/// images, in pixels; `filter`: taps that blocks resample with. `file` is for messages: throws
/// Error at the first module that is none of those that are converted.
ScoreSdeNetwork read_score_sde_network(const NamedTensors& state, std::int64_t resolution,
                                       const std::vector<double>& filter, const std::string& file);

}  // namespace edmund
