// predictor_corrector — at each grid time Langevin steps, then a step of the reverse SDE (Song et al. 2021, algorithms
// 1 to 3).
//
//   N(1 + corrector_steps) evaluations; no noise in the final step.
//
//   predictor         reverse_diffusion   or euler_maruyama, ancestral, none: see reverse_step.h
//   probability_flow  false               true: of the ODE, without noise
//   variance          posterior           of ancestral; or beta
//   corrector         langevin            or ald, none: see corrector.h
//   snr, corrector_steps, norms           see corrector.h
//   final             denoise             or euler, none, predictor: the mean of one more predictor step, to σ = 0
//                                         (score_sde's `denoise`)
#include "corrector.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "reverse_step.h"

namespace edmund::samplers {

Sampler make_predictor_corrector(Options& options) {
  const Predictor predictor = read_predictor(options);
  const Corrector corrector = read_corrector(options);
  const std::string last = options.choice("final", "denoise", {"denoise", "euler", "none", "predictor"});
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    for (const auto& [t, u] : steps(grid)) {
      const StepEnd end = step_end(path, u);
      x = corrected(corrector, D, path, x, t, end.scale, noise);
      const ReverseStep step = reverse_step(predictor, path, t, end);
      x = stepped(step, D, path, x, t, step.std > 0 ? noise.scaled(step.std, x.sizes().slice(1)) : ops::Term{});
    }
    if (last == "none") return x;
    const double t = grid.t.back();
    x = corrected(corrector, D, path, x, t, 1.0, noise);
    if (last == "predictor")
      return stepped(reverse_step(predictor, path, t, clean_end(predictor, path)), D, path, x, t, {});
    return finish(D, path, x, t, last == "euler" ? Final::kEuler : Final::kDenoise);
  };
}

}  // namespace edmund::samplers
