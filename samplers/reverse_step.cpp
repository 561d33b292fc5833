#include "reverse_step.h"

#include "edmund/core/error.h"
#include "edmund/samplers/posterior.h"
#include "edmund/samplers/velocity.h"

namespace edmund {

Tensor drawn(const ReverseStep& step, const Tensor& x, NoiseSource& noise) {
  return step.std > 0 ? step.mean + step.std * noise.draw(x) : step.mean;
}

StepEnd step_end(const NoiseSchedule& schedule, double t) { return {t, schedule.scale(t), schedule.sigma(t)}; }

ReverseStep reverse_diffusion_step(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t,
                                   const StepEnd& end, bool probability_flow) {
  const double std = transition_std(schedule, t, end.sigma), V = std * std;
  return {.mean = (2 - schedule.scale(t) / end.scale) * ops::Sum(x) +
                  (probability_flow ? V / 2 : V) * score(D, schedule, x, t),
          .std = probability_flow ? 0.0 : std};
}

Predictor read_predictor(Options& options) {
  const std::string kind =
      options.choice("predictor", "reverse_diffusion", {"reverse_diffusion", "euler_maruyama", "ancestral", "none"},
                     "step of the reverse process; none: the corrector alone");
  const bool flow = options.flag("probability_flow", false, "step along the ODE, without noise");
  const bool beta = options.choice("variance", "posterior", {"posterior", "beta"},
                                   "of an ancestral step: posterior, or forward (β)") == "beta";
  return [=](const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t, const StepEnd& end) {
    if (kind == "none") return ReverseStep{.mean = x};
    if (kind == "ancestral") return posterior_step(D, schedule, x, t, end, beta);
    if (kind == "reverse_diffusion") return reverse_diffusion_step(D, schedule, x, t, end, flow);
    require(end.t.has_value(),
            "sampler: final: predictor with euler_maruyama needs a time at which σ = 0, which this schedule does not "
            "have; use final: denoise");
    return euler_maruyama_step(D, schedule, x, t, *end.t, flow ? 0.0 : 1.0);
  };
}

ops::Sum score(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t) {
  const double s = schedule.scale(t), sigma = schedule.sigma(t);
  const ops::Sum z = ops::Sum(x) / s, D_t = denoised(D, schedule, x, t);
  return (D_t - z) / (s * sigma * sigma);
}

}  // namespace edmund
