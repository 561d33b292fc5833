// dpm_adaptive — DPM-Solver-12 and -23 with adaptive steps (Lu et al. 2022, appendix C), in z = x/s with ln σ as the variable. Of the
// grid it uses the two ends.
//
//   z' and its error E = ‖(z' - z'_low)/max(atol, rtol·max(|z'_low|, |z_low|))‖ (root mean square) are those of dpm_step.h;
//   h' = h·(1 + arctan(E^(-1/order) - 1)), and the step is taken if that factor is at least 0.81 (k-diffusion)
//   `order` evaluations a try
//
//   order  3        2 or 3
//   rtol   0.05     E as in Lu et al. 2022
//   atol   0.0078
//   h      0.05     first step in ln σ
//   error  image    E of each image by itself, one image after the other: as many evaluations of the batch as all images need;
//                   or batch: one E and one sequence of steps for all (k-diffusion), so that an image depends on its batch
//   final  denoise  or euler, none
#include "dpm_step.h"
#include "edmund/core/error.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"

#include <algorithm>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund::samplers {
namespace {

struct Control {
  std::int64_t order;
  double rtol, atol, h;
};

Tensor solved(const Control& control, const Denoiser& D, Tensor z, double sigma, double last) {
  Tensor lower = z;
  for (double h = control.h; std::log(sigma / last) > 1e-5;) {
    const double next = std::max(last, sigma * std::exp(-h));
    require(next < sigma,
            "dpm_adaptive: the step vanished at σ = {}: D is not finite there, or rtol and atol ask for too much",
            sigma);
    const auto step = dpm_step(control.order, D, z, sigma, next);
    const Tensor allowed = (control.rtol * at::maximum(step.lower.abs(), lower.abs())).clamp_min(control.atol);
    const double error = ((step.lower - step.z) / allowed).square().mean().sqrt().item<double>();
    const double factor = 1 + std::atan(std::pow(error + 1e-8, -1.0 / static_cast<double>(control.order)) - 1);
    if (factor >= 0.81) z = step.z, lower = step.lower, sigma = next;
    h = std::isfinite(factor) ? h * factor : 0.0;
  }
  return z;
}

}  // namespace

Sampler make_dpm_adaptive(Options& options) {
  const Control control{.order = options.integer("order", 3, between(2, 3)),
                        .rtol = options.real("rtol", 0.05, between(0, 1)),
                        .atol = options.real("atol", 0.0078, above(0)),
                        .h = options.real("h", 0.05, above(0))};
  const bool whole = options.choice("error", "image", {"image", "batch"}) == "batch";
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource&) {
    const double t = grid.t.front(), u = grid.t.back();
    const Tensor z = x / path.scale(t);
    std::vector<Tensor> images;
    for (std::int64_t i = 0; i < (whole ? 0 : x.size(0)); ++i) {
      // D may hold labels of the whole batch.
      const Denoiser only = [&](const Tensor& one, double sigma) {
        return D(one.expand(x.sizes()).contiguous(), sigma).narrow(0, i, 1);
      };
      images.push_back(solved(control, only, z.narrow(0, i, 1), path.sigma(t), path.sigma(u)));
    }
    const Tensor end = whole ? solved(control, D, z, path.sigma(t), path.sigma(u)) : at::cat(images);
    return finish(D, path, path.scale(u) * end, u, final);
  };
}

}  // namespace edmund::samplers
