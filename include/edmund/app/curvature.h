#pragma once

#include "edmund/app/run.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/diffusion/time_grid.h"
#include "edmund/generation/image_generator.h"
#include "edmund/schedules/noise_schedule.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

namespace edmund {

/// Times on the clock of a schedule.
struct ClockedGrid {
  std::string name;
  std::shared_ptr<const NoiseSchedule> schedule;
  TimeGrid grid;
};

/// How far the ODE's solution bends away from each step of a grid.
struct StepErrors {
  std::string name;
  std::vector<double> sigma;  // of the grid's times, N
  std::vector<double> error;  // of the steps, N - 1
};

/// Local truncation errors along the probability-flow ODE (Karras et al. 2022, appendix D.1): one
/// Euler step on the grid's own clock and scale from the true solution at its start, against the
/// solution at its end, as root mean square over images and values in z = x/s; about h²/2 ·
/// |d²z/dσ²| for s = 1 and σ(t) = t. The solution is that of dpmpp_2m on `levels` (σ, decreasing),
/// cubic in ln σ between them: one evaluation a level, whatever the number of grids. noise [B, C,
/// H, W], double. Grid times beyond the levels are left out.
std::vector<StepErrors> step_errors(const Denoiser& D, const Tensor& noise, std::span<const double> levels,
                                    std::span<const ClockedGrid> grids);

/// The same for a model: of the grid that it is sampled on, and of usual ones with as many steps
/// between the same noise levels, on images 0 … images - 1. Takes about 100 evaluations an image.
/// Writes the run's JSON, `grids` being the errors, the model's own first.
void write_curvature(const RunFolder& run, const ImageGenerator& generator, std::int64_t images, std::uint64_t seed);
/// What lies there; null if nothing does, and with a warning if it is damaged.
nlohmann::ordered_json read_curvature(const RunFolder& run);
/// Where it lies, beside the trajectory's picture.
std::filesystem::path curvature_file(const RunFolder& run);

}  // namespace edmund
