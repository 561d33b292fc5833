#include "reverse_step.h"

#include "edmund/core/error.h"
#include "edmund/samplers/posterior.h"
#include "edmund/samplers/velocity.h"

#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund {

Tensor score(const Denoiser& D, const NoiseSchedule& path, const Tensor& x, double t) {
  const double s = path.scale(t), sigma = path.sigma(t);
  const Tensor z = x / s;
  return (D(z, sigma) - z) / (s * sigma * sigma);
}

Predictor read_predictor(Options& options) {
  const std::string kind =
      options.choice("predictor", "reverse_diffusion", {"reverse_diffusion", "euler_maruyama", "ancestral", "none"});
  return {.kind = kind == "none"             ? Predictor::Kind::kNone
                  : kind == "ancestral"      ? Predictor::Kind::kAncestral
                  : kind == "euler_maruyama" ? Predictor::Kind::kEulerMaruyama
                                             : Predictor::Kind::kReverseDiffusion,
          .probability_flow = options.flag("probability_flow", false),
          .beta = options.choice("variance", "posterior", {"posterior", "beta"}) == "beta"};
}

StepEnd clean_end(const Predictor& predictor, const NoiseSchedule& path) {
  const auto t = path.clean_time();
  require(t.has_value() || predictor.kind != Predictor::Kind::kEulerMaruyama,
          "sampler: final: predictor with euler_maruyama needs a time at which σ = 0, which this schedule does not "
          "have; use final: denoise");
  return {t.value_or(0.0), 1.0, 0.0};
}

ReverseStep reverse_step(const Predictor& predictor, const NoiseSchedule& path, double t, const StepEnd& end) {
  const bool flow = predictor.probability_flow;
  const double s = path.scale(t), sigma = path.sigma(t);
  switch (predictor.kind) {
    case Predictor::Kind::kNone: return {};
    case Predictor::Kind::kEulerMaruyama: {
      const Drift v = drift(path, t, flow ? 0.0 : 1.0);
      const double h = end.t - t;
      return {1 + h * v.x, h * v.D, flow ? 0.0 : diffusion(path, t) * std::sqrt(-h)};
    }
    case Predictor::Kind::kReverseDiffusion: {
      const double std = transition_std(path, t, end.sigma), moved = (flow ? 0.5 : 1.0) * std * std;
      const double on_score = moved / (s * sigma * sigma);  // score = (D - x/s)/(sσ²)
      return {2 - s / end.scale - on_score / s, on_score, flow ? 0.0 : std};
    }
    case Predictor::Kind::kAncestral: break;
  }
  const double ratio = end.sigma / sigma, kept = ratio * ratio;  // of the noise
  return {end.scale * kept / s, end.scale * (1 - kept),
          predictor.beta ? transition_std(path, t, end.sigma) : end.scale * ancestral_step(sigma, end.sigma, 1.0).up};
}

Tensor stepped(const ReverseStep& step, const Denoiser& D, const NoiseSchedule& path, const Tensor& x, double t,
               const ops::Term& noise) {
  return ops::combine({{step.x, x}, {step.D, step.D == 0.0 ? Tensor() : denoised(D, path, x, t)}, noise});
}

}  // namespace edmund
