#pragma once

#include "edmund/core/interval.h"
#include "edmund/core/tensor.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace edmund {

/// D(z; σ) = E[x0 | z]: the one thing that a sampler sees. z [B, C, H, W] of any float dtype → the
/// same shape and dtype. Labels, guidance, precision and counting are already inside.
using Denoiser = std::function<Tensor(const Tensor& z, double sigma)>;

/// Adds `each` a call (NFE: network evaluations an image, whatever the batch; a guided denoiser
/// that asks one network twice in one batch is counted with each = 2).
Denoiser counted(Denoiser denoiser, std::shared_ptr<std::int64_t> count, std::int64_t each = 1);

/// One evaluation as `recorded` keeps it.
struct Evaluation {
  Tensor z;
  double sigma = 0.0;
  Tensor denoised;
};
/// Keeps every evaluation in order.
Denoiser recorded(Denoiser denoiser, std::shared_ptr<std::vector<Evaluation>> trace);

/// D cut to [low, high] (Ho et al. 2020: [-1, 1]). Off by default everywhere.
Denoiser clipped(Denoiser denoiser, Interval range);

/// Dynamic thresholding (Saharia et al. 2022, section 2.3): clamp(D, -s, s)/s with s = max(1,
/// quantile of |D| over an image at `share`), image by image; share in (0, 1], 1 is the largest
/// |D|. Quantiles between two values are interpolated linearly. It keeps guided images out of
/// saturation; where |D| <= 1 but for a share of 1 - `share` of the values it is clipped() to
/// [-1, 1]. s is cut to `most`, at least 1 (diffusers), where that is given.
Denoiser thresholded(Denoiser denoiser, double share, double most = std::numeric_limits<double>::infinity());
/// The same of one D. [B, …], any float dtype.
Tensor thresholded(const Tensor& D, double share, double most = std::numeric_limits<double>::infinity());

/// D_u + w·(D_c - D_u): classifier-free guidance (Ho & Salimans 2022), or autoguidance if `weak` is
/// a weaker model (Karras et al. 2024).
Denoiser guided(Denoiser strong, Denoiser weak, double weight);
/// `guided` where σ lies in `sigmas`, `plain` elsewhere (Kynkäänniemi et al. 2024).
Denoiser limited_to(Interval sigmas, Denoiser guided, Denoiser plain);

}  // namespace edmund
