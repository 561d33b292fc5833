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

Predicted predicted(const Predictor& predictor, const Denoiser& D, const NoiseSchedule& path, const Tensor& x, double t,
                    const StepEnd& end) {
  const bool flow = predictor.probability_flow;
  const double s = path.scale(t), sigma = path.sigma(t);
  switch (predictor.kind) {
    case Predictor::Kind::kNone: return {x, 0.0};
    case Predictor::Kind::kEulerMaruyama:
      return {x + (end.t - t) * velocity(D, path, x, t, flow ? 0.0 : 1.0),
              flow ? 0.0 : diffusion(path, t) * std::sqrt(t - end.t)};
    case Predictor::Kind::kReverseDiffusion: {
      const double std = transition_std(path, t, end.sigma), share = flow ? 0.5 : 1.0;
      return {(2 - s / end.scale) * x + (share * std * std) * score(D, path, x, t), flow ? 0.0 : std};
    }
    case Predictor::Kind::kAncestral: break;
  }
  const double ratio = end.sigma / sigma;
  const Tensor z = x / s, denoised = D(z, sigma);
  return {end.scale * (denoised + (ratio * ratio) * (z - denoised)),
          predictor.beta ? transition_std(path, t, end.sigma) : end.scale * ancestral_step(sigma, end.sigma, 1.0).up};
}

}  // namespace edmund
