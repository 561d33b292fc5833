#pragma once

#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/diffusion/noise_source.h"
#include "edmund/diffusion/time_grid.h"
#include "edmund/samplers/dormand_prince.h"
#include "edmund/schedules/noise_schedule.h"

#include <cstdint>
#include <optional>
#include <span>

namespace edmund {

/// How the trace of D's Jacobian is estimated: exactly (one gradient a dimension), or as the mean
/// of v·Jv over random v with E[v vᵀ] = 1 (Hutchinson 1990), fixed for the whole solve (Grathwohl
/// et al. 2019).
enum class Trace { kExact, kRademacher, kGaussian };

struct LikelihoodSettings {
  Trace trace = Trace::kRademacher;
  std::int64_t probes = 1;  // v an image; unused by the exact trace
  /// Dormand-Prince, which uses the two ends of the grid; none: Heun steps on the grid.
  std::optional<Tolerance> adaptive;
  /// Of x at the grid's first time; none: s·σ there, what samplers start from.
  std::optional<double> prior_std;
};

struct Likelihood {
  Tensor log_density;            // [B], nats: log p(x0; σ) at the grid's lowest σ, mean over probes
  Tensor probe_error;            // [B], its standard error; 0 for the exact trace, NaN for 1 probe
  Tensor latent;                 // [B, C, H, W]: x at the grid's first time
  std::int64_t evaluations = 0;  // of D an image, each with `gradients` backward passes
  std::int64_t gradients = 0;
};

/// Density of the probability-flow ODE as a continuous normalizing flow (Song et al. 2021, eq. 39):
/// with dx/dt = v of velocity(), from the grid's last time (least noise) to its first,
///   log p(x0) = log N(x_T; 0, prior_std²) + ∫ div v dt + n ln s,
///   div v = n (ṡ/s + σ̇/σ) - (σ̇/σ) tr ∂D/∂z,
/// where x = s·x0 at the start, so that the value is the density of z and the same on every
/// schedule. x0 [B, C, H, W] double, in the units in which the denoiser was trained. D must carry
/// gradients (differentiable()); `probes` gives the v, one draw a probe.
///
/// It is the density of the ODE, not a bound; as log p of the data it has three further errors: σ >
/// 0 at the grid's end (bias of the order of σ²), a prior that is not the diffused data, and the
/// solver's. Throws Error in inference mode.
Likelihood log_likelihood(const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, const Tensor& x0,
                          NoiseSource& probes, const LikelihoodSettings& settings);

/// uint8 [B, C, H, W] → (k + u)/128 - 1 in (-1, 1), double: uniform dequantization (Theis et al.
/// 2016), u in (0, 1) a function of (seed, image number) alone. The mean over u of -log p bounds
/// -log P of the discrete image from above (Jensen).
Tensor dequantized(const Tensor& images, std::uint64_t seed, std::span<const std::int64_t> numbers);

/// Width of one of 256 levels in [-1, 1], in bits: log2 128. Added to the bits of a dequantized
/// density it gives those of the 8-bit image.
inline constexpr double kLevelBits = 7.0;

/// -log2 p a dimension, plus `offset`: log_density [B] in nats over `dimensions` values an image.
Tensor bits_per_dimension(const Tensor& log_density, std::int64_t dimensions, double offset);

}  // namespace edmund
