#pragma once

#include "edmund/core/interval.h"
#include "edmund/ops/tensor.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace edmund {

/// D(z; σ) = E[x0 | z]: the one thing that a sampler sees. z [B, C, H, W] of any float dtype → the same shape and dtype. Labels, guidance, precision
/// and counting are already inside.
using Denoiser = std::function<Tensor(const Tensor& z, double sigma)>;

/// Counts calls (NFE: evaluations a image, whatever the batch).
Denoiser counted(Denoiser denoiser, std::shared_ptr<std::int64_t> count);

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

/// D_u + w·(D_c - D_u): classifier-free guidance (Ho & Salimans 2022), or autoguidance if `weak` is a weaker model (Karras et al. 2024).
Denoiser guided(Denoiser strong, Denoiser weak, double weight);
/// `guided` where σ lies in `sigmas`, `plain` elsewhere (Kynkäänniemi et al. 2024).
Denoiser limited_to(Interval sigmas, Denoiser guided, Denoiser plain);

}  // namespace edmund
