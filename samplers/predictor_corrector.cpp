// predictor_corrector — at each grid time Langevin steps, then a step of the reverse SDE (Song et
// al. 2021, algorithms 1 to 3).
//
//   N(1 + corrector_steps) evaluations; no noise in the final step.
//
//   predictor, probability_flow, variance       see reverse_step.h
//   corrector, snr, corrector_steps, norms      see corrector.h
//   final  denoise   or euler, none, predictor: the mean of one more predictor step, to σ = 0
//                    (score_sde's `denoise`)
#include "corrector.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "reverse_step.h"

namespace edmund::samplers {

Sampler make_predictor_corrector(Options& options) {
  const Predictor predicted = read_predictor(options);
  const Corrector corrector = read_corrector(options);
  const std::string last = options.choice("final", "denoise", {"denoise", "euler", "none", "predictor"},
                                          "step to σ = 0: D, an Euler step, none, or the mean of a predictor step");
  return [=](const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, Tensor x,
             NoiseSource& noise) -> Tensor {
    for (const auto& [t, u] : steps(grid)) {
      const StepEnd end = step_end(schedule, u);
      x = corrected(corrector, D, schedule, x, t, end.scale, noise);
      x = drawn(predicted(D, schedule, x, t, end), x, noise);
    }
    if (last == "none") return x;
    const double t = grid.t.back();
    x = corrected(corrector, D, schedule, x, t, 1.0, noise);
    if (last != "predictor") return finish(D, schedule, x, t, last == "euler" ? Final::kEuler : Final::kDenoise);
    return predicted(D, schedule, x, t, {schedule.clean_time(), 1.0, 0.0}).mean;
  };
}

}  // namespace edmund::samplers
