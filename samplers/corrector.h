#pragma once

#include "edmund/core/options.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/diffusion/noise_source.h"
#include "edmund/schedules/noise_schedule.h"

#include <cstdint>
#include <optional>

namespace edmund {

/// Langevin steps at one time (Song et al. 2021, algorithms 4 and 5): x' = x + ε·score + √(2ε)·n,
/// with ε = 2α·(snr·‖n‖/‖score‖)² (langevin) or 2α·(snr·sσ)² (ald); α = (s(t)/s(u))², the share of
/// the signal that the step from t to u keeps: 1 - β on vp and ddpm, 1 on edm and ve.
///
///   corrector        langevin   or ald (annealed Langevin dynamics), none
///   snr              0.16       signal-to-noise ratio of a step
///   corrector_steps  1          a grid time
///   norms            image      ‖·‖ of each image; or batch: their mean over the batch, as
///                               score_sde has it: an image then depends on its batch
///   spread           schedule   of ald, in place of sσ: sde, for a table of linear betas, takes
///                               the
///                               std √(1 - e^(-B)) of the VP SDE with these β, as score_sde does,
///                               on few steps another number: B = N·∫β, entry k of N at the time
///                               ε + (1 - ε)·(k - 1)/(N - 1)
///   spread_eps       1e-3       ε of it
struct Corrector {
  enum class Kind { kNone, kLangevin, kAnnealed };
  Kind kind = Kind::kLangevin;
  double snr = 0.16;
  std::int64_t steps = 1;
  bool batch_norms = false;
  std::optional<double> sde_eps = std::nullopt;  // ε of spread: sde
};
Corrector read_corrector(Options& options);

/// x at t after the corrector's steps; `next_scale`: s(u) of the step that follows. Throws Error if
/// `spread: sde` meets a schedule that is no table of linear betas.
Tensor corrected(const Corrector& corrector, const Denoiser& D, const NoiseSchedule& schedule, Tensor x, double t,
                 double next_scale, NoiseSource& noise);

}  // namespace edmund
