// denoise — the squared error of the network's target, w(σ)·‖F(c_in·z, c_noise) - F*‖² (Karras et
// al. 2022, eq. 8), with z = x0 + σε, σ from `noise_levels`, F* from `preconditioning`, w from
// `loss_weight`. Its minimum is D(z; σ) = E[x0 | z].
#include "gaussian.h"

namespace edmund::objectives {

Objective make_denoise(Options&, const ObjectiveContext& context) {
  return gaussian(context, [](const DenoisingModel& model, const NoisyBatch& batch) {
    return model.loss(batch.x0, batch.eps, batch.sigma, batch.condition);
  });
}

}  // namespace edmund::objectives
