#pragma once

#include "edmund/core/options.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/ops/combine.h"
#include "edmund/schedules/noise_schedule.h"

namespace edmund {

/// Score s·(D - z)/(sσ)² of x at t; x [B, …], one evaluation.
Tensor score(const Denoiser& D, const NoiseSchedule& path, const Tensor& x, double t);

/// A step of the reverse SDE (Song et al. 2021).
///
///   predictor         reverse_diffusion  x' = (2 - s/s')·x + V·score + √V·n,  V = s²(σ² - σ'²): the forward step from u to t, read
///                                        backwards (appendix E)
///                     euler_maruyama     x' = x + (u - t)·drift + g·√(t - u)·n, as `reverse_sde` has it
///                     ancestral          as `ancestral` has it (eq. 4; appendix F)
///                     none               x' = x
///   probability_flow  false              half of the score and no noise in reverse_diffusion and euler_maruyama
///   variance          posterior          of ancestral; or beta
struct Predictor {
  enum class Kind { kReverseDiffusion, kEulerMaruyama, kAncestral, kNone };
  Kind kind = Kind::kReverseDiffusion;
  bool probability_flow = false, beta = false;
};
Predictor read_predictor(Options& options);

/// Where a step leads to: a time, or clean_end().
struct StepEnd {
  double t, scale, sigma;
};
inline StepEnd step_end(const NoiseSchedule& path, double t) { return {t, path.scale(t), path.sigma(t)}; }
/// σ = 0 and s = 1. Throws Error where the predictor needs to know when, and the schedule has no such time.
StepEnd clean_end(const Predictor& predictor, const NoiseSchedule& path);

/// The step as its factors: x' = x·(state) + D·(its denoised image) + std·n.
struct ReverseStep {
  double x = 1.0, D = 0.0, std = 0.0;
};
ReverseStep reverse_step(const Predictor& predictor, const NoiseSchedule& path, double t, const StepEnd& end);
/// x' with `noise` in place of std·n; x [B, …] at t, at most one evaluation.
Tensor stepped(const ReverseStep& step, const Denoiser& D, const NoiseSchedule& path, const Tensor& x, double t,
               const ops::Term& noise);

}  // namespace edmund
