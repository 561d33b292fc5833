#pragma once

#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/ops/sum.h"
#include "edmund/samplers/sampler.h"
#include "edmund/schedules/noise_schedule.h"

namespace edmund {

/// z = x/s at time t; x itself, without a copy, where s = 1.
Tensor unscaled(const NoiseSchedule& schedule, const Tensor& x, double t);

/// D(x/s; σ) at time t: x [B, C, H, W] → the same shape.
Tensor denoised(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t);

/// Slope dx/dt of the probability-flow ODE (Karras et al. 2022, eq. 4), or the drift of the reverse
/// family at λ: (ṡ/s + (1+λ²)·σ̇/σ)·x - (1+λ²)·(s·σ̇/σ)·D(x/s; σ); λ = 0 is the ODE, λ = 1 the
/// reverse SDE. x: [B, C, H, W], any float dtype; t inside schedule.domain(). Calls D once, at
/// σ(t); the result is a sum of x and its denoised image. Throws Error if t lies outside.
ops::Sum velocity(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t, double lambda = 0.0);

/// g(t) = s √(2 σ σ̇), the diffusion of the forward SDE.
double diffusion(const NoiseSchedule& schedule, double t);

/// Last step from grid time t to the image. Throws Error for Final::kEuler on a schedule without a
/// clean time.
Tensor finish(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t, Final final);

}  // namespace edmund
