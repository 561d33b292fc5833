#pragma once

#include "edmund/studies/bench_cases.h"

#include <functional>
#include <memory>
#include <string>

namespace edmund {

/// Bodies and figures of the cases of `edmund bench` that are more than a call of the model.
/// Figures are taken after the timing.
///
/// loops Adam, gradient clean-up and EMA as torch::optim has them: tensor by tensor, of the shapes
/// of the model's parameters inception bytes [B, 3, 32, 32] → 299x299 (bilinear) → pool features of
/// Inception-v3 with random weights frechet Fréchet distance between two sets of 4096 features of
/// 2048 dimensions, as mean and covariance; figure `distance` accuracy the denoiser on random
/// weights, σ from 0.002 to 80; figure `relative_error`: largest difference to float64 on the
/// reference
///            kernels, relative to the image's largest value
std::function<void()> optimizer_loops(const Experiment& experiment);
std::function<void()> inception(std::int64_t batch);
std::function<void()> frechet(BenchCase& out);
std::function<void()> accuracy(BenchCase& out, const Experiment& experiment, std::int64_t batch);

/// Peak memory of this process since it began, in MB of 10^6 bytes (VmHWM of proc(5)).
double peak_megabytes();

}  // namespace edmund
