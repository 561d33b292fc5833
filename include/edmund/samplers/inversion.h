#pragma once

#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/diffusion/time_grid.h"
#include "edmund/samplers/sampler.h"
#include "edmund/schedules/noise_schedule.h"

namespace edmund {

/// The latent that an ODE sampler would start from to draw this image: the sampler run over its
/// grid backwards, from x = s·image at the last time (no noise is added; the image stands for the
/// state at the lowest σ) to x at the first. For DDIM this is the encoder of Song et al. 2021,
/// section 4.3. image [B, C, H, W] → x of the same shape. The sampler must leave its last grid time
/// alone (`final: none`); it is exact as the steps get small, with an error of the sampler's order.
/// Throws Error if the sampler draws noise, or cannot run backwards (values that are not finite).
Tensor inverted(const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, const Sampler& sampler,
                const Tensor& image);

/// The image that the sampler draws from x at the first grid time, as inverted() has it: x/s at the
/// last time. Throws Error as inverted() does.
Tensor reconstructed(const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, const Sampler& sampler,
                     const Tensor& x);

}  // namespace edmund
