#include "corrector.h"

#include "edmund/core/error.h"
#include "reverse_step.h"

#include <ATen/ops/full.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <vector>

namespace edmund {
namespace {

// ‖·‖ of each image, [B, 1, …]; or their mean in all places.
Tensor norms(const Tensor& x, bool batch) {
  Tensor norm = x.flatten(1).norm(2, 1);  // [B]
  if (batch) norm = norm.mean().expand_as(norm);
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = x.size(0);
  return norm.reshape(shape);
}

// Std at entry t of the VP SDE that a table of linear betas discretizes.
double sde_std(const NoiseSchedule& schedule, double t, double eps) {
  const std::vector<double>& levels = schedule.levels();  // σ
  const std::size_t N = levels.size();
  const auto beta = [&](std::size_t k) {  // of entry k, from 0
    const double before = k == 0 ? 0.0 : levels[k - 1], sigma = levels[k];
    return (sigma - before) * (sigma + before) / (1 + sigma * sigma);
  };
  const auto half = N / 2;
  const auto on_line = [&] {
    const double share = static_cast<double>(half) / static_cast<double>(N - 1);
    return std::abs(beta(half) - std::lerp(beta(0), beta(N - 1), share)) <= 1e-6 * beta(N - 1);
  };
  const bool linear = N >= 2 && on_line();
  require(linear, "predictor_corrector: spread: sde needs a table of linear betas (ddpm); choose spread: schedule");
  const auto n = static_cast<double>(N);
  const double u = std::lerp(eps, 1.0, (t - 1) / (n - 1)), low = beta(0), high = beta(N - 1);
  return std::sqrt(-std::expm1(-n * u * (low + 0.5 * (high - low) * u)));
}

}  // namespace

Corrector read_corrector(Options& options) {
  const std::string kind = options.choice("corrector", "langevin", {"langevin", "ald", "none"},
                                          "Langevin steps, annealed ones (ald) or none");
  Corrector out{.kind = kind == "none"  ? Corrector::Kind::kNone
                        : kind == "ald" ? Corrector::Kind::kAnnealed
                                        : Corrector::Kind::kLangevin,
                .snr = options.real("snr", 0.16, between(0, 10), "signal-to-noise ratio of a Langevin step"),
                .steps = options.integer("corrector_steps", 1, between(0, 1000), "Langevin steps at each grid time"),
                .batch_norms = options.choice("norms", "image", {"image", "batch"},
                                              "that scale a step: of each image, or means over the batch") == "batch"};
  const bool sde = options.choice("spread", "schedule", {"schedule", "sde"},
                                  "whose standard deviation ald's steps are measured by") == "sde";
  const double eps = options.real("spread_eps", 1e-3, between(0, 0.5), "time of the first entry in spread: sde");
  options.check(!sde || kind == "ald", "spread", "belongs to corrector: ald, found {}", kind);
  if (sde) out.sde_eps = eps;
  return out;
}

Tensor corrected(const Corrector& corrector, const Denoiser& D, const NoiseSchedule& schedule, Tensor x, double t,
                 double next_scale, NoiseSource& noise) {
  if (corrector.kind == Corrector::Kind::kNone) return x;
  const double spread =
      corrector.sde_eps ? sde_std(schedule, t, *corrector.sde_eps) : schedule.scale(t) * schedule.sigma(t);
  const double keep = schedule.scale(t) / next_scale;
  for (std::int64_t k = 0; k < corrector.steps; ++k) {
    const Tensor gradient = score(D, schedule, x, t), n = noise.normal(x.sizes().slice(1)).to(x.dtype());
    const Tensor length =
        corrector.kind == Corrector::Kind::kAnnealed
            ? at::full({}, corrector.snr * spread, x.options())
            : corrector.snr * norms(n, corrector.batch_norms) / norms(gradient, corrector.batch_norms);
    const Tensor epsilon = (2 * keep * keep) * length.square();
    x = x + epsilon * gradient + (2 * epsilon).sqrt() * n;
  }
  return x;
}

}  // namespace edmund
