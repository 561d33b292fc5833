#pragma once

#include "edmund/core/options.h"
#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/diffusion/noise_source.h"
#include "edmund/ops/sum.h"
#include "edmund/schedules/noise_schedule.h"

#include <functional>
#include <optional>

// Steps of the reverse process from x at time t: what `ancestral`, `reverse_sde` and the predictors
// of `predictor_corrector` are made of. Each is one evaluation.
namespace edmund {

/// x' = mean + std·n.
struct ReverseStep {
  ops::Sum mean;
  double std = 0.0;
};
/// x' with its noise; no draw where std is 0. x gives the shape.
Tensor drawn(const ReverseStep& step, const Tensor& x, NoiseSource& noise);

/// Where a step leads to: a grid time, or the clean image with σ = 0 and s = 1, for which a
/// schedule may have no time.
struct StepEnd {
  std::optional<double> t;
  double scale, sigma;
};
StepEnd step_end(const NoiseSchedule& schedule, double t);

/// Posterior q(z' | z, x0 = D) of Ho et al. 2020 (eq. 7), or with `beta` its other variance, that
/// of the forward step (σ_t² = β_t). In ancestral.cpp.
ReverseStep posterior_step(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t,
                           const StepEnd& end, bool beta);

/// Euler–Maruyama step of the reverse family at λ (Karras et al. 2022, eq. 6) to time u. In
/// reverse_sde.cpp.
ReverseStep euler_maruyama_step(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t, double u,
                                double lambda);

/// The forward step from u to t read backwards (Song et al. 2021, appendix E): x' = (2 - s/s')·x +
/// V·score + √V·n, V = s²(σ² - σ'²); with `probability_flow` half of the score and no noise.
ReverseStep reverse_diffusion_step(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t,
                                   const StepEnd& end, bool probability_flow);

/// The step that is asked for.
///
///   predictor         reverse_diffusion   or euler_maruyama, ancestral, none (x' = x)
///   probability_flow  false               true: of the ODE, without noise, in the first two
///   variance          posterior           of ancestral; or beta
///
/// euler_maruyama throws Error for an end without a time.
using Predictor = std::function<ReverseStep(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t,
                                            const StepEnd& end)>;
Predictor read_predictor(Options& options);

/// Score (s·D - x)/(sσ)² of x at t (Karras et al. 2022, eq. 3); one evaluation.
ops::Sum score(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t);

}  // namespace edmund
