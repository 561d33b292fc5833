#include "corrector.h"

#include "reverse_step.h"

#include <ATen/ops/full.h>
#include <ATen/TensorOperators.h>
#include <cmath>

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

}  // namespace

Corrector read_corrector(Options& options) {
  const std::string kind = options.choice("corrector", "langevin", {"langevin", "ald", "none"},
                                          "Langevin steps, annealed ones (ald) or none");
  return {.kind = kind == "none"  ? Corrector::Kind::kNone
                  : kind == "ald" ? Corrector::Kind::kAnnealed
                                  : Corrector::Kind::kLangevin,
          .snr = options.real("snr", 0.16, between(0, 10), "signal-to-noise ratio of a Langevin step"),
          .steps = options.integer("corrector_steps", 1, between(0, 1000), "Langevin steps at each grid time"),
          .batch_norms = options.choice("norms", "image", {"image", "batch"},
                                        "that scale a step: of each image, or means over the batch") == "batch"};
}

Tensor corrected(const Corrector& corrector, const Denoiser& D, const NoiseSchedule& schedule, Tensor x, double t,
                 double next_scale, NoiseSource& noise) {
  if (corrector.kind == Corrector::Kind::kNone) return x;
  const double spread = schedule.scale(t) * schedule.sigma(t), keep = schedule.scale(t) / next_scale;
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
