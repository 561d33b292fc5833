// pseudo_huber — √(‖e‖² + c²) - c of each image (Song & Dhariwal 2024, section 3.3), with ‖e‖² the
// loss of `denoise` summed over the image: close to ‖e‖²/2c for errors below c and to ‖e‖ above.
// Images that fit nothing else (damaged, mislabeled) then pull no harder than others (Khrapov et
// al. 2024). For errors above c, D tends to the median of x0 | z rather than to its mean.
//
//   c   0.00054·√(C·H·W)   error of an image at which the loss turns from square to linear, > 0
#include "gaussian.h"

#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund::objectives {

Objective make_pseudo_huber(Options& options, const ObjectiveContext& context) {
  // 0: not given
  const double own =
      options.real("c", 0.0, above(0.0), "error of an image at which the loss turns linear; default 0.00054·√(C·H·W)");
  return gaussian(context, [own](const DenoisingModel& model, const NoisyBatch& batch) {
    const Tensor error = model.loss(batch.x0, batch.eps, batch.sigma, batch.condition).sum({1, 2, 3}, /*keepdim=*/true);
    const double elements = static_cast<double>(batch.x0.numel() / batch.x0.size(0));
    const double c = own > 0.0 ? own : 0.00054 * std::sqrt(elements);
    return (error + c * c).sqrt() - c;  // [B, 1, 1, 1]
  });
}

}  // namespace edmund::objectives
