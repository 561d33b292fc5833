#pragma once

#include "edmund/core/kept_work.h"
#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/diffusion/time_grid.h"
#include "edmund/samplers/sampler.h"
#include "edmund/schedules/noise_schedule.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace edmund {

/// How one sampler draws from one denoiser: what a grid is optimized for. The sampler must draw no
/// noise.
struct GridTask {
  std::shared_ptr<const NoiseSchedule> schedule;
  Sampler sampler;
  Sampler stepper;  // the same with `final: none`: what it does between two grid times
  Interval sigmas;  // highest and lowest noise level that a grid may have
};

/// Starting noise and the denoiser of these images.
struct GridImages {
  Denoiser denoiser;
  Tensor noise;  // ε [B, C, H, W], double
};

/// How far a sampler's images are from the converged ones. The mean over images, not the root of
/// their mean square: with few steps some trajectories end at another image altogether, and they
/// alone would decide.
struct GridDistance {
  double value = 0.0;            // mean of `each`
  double standard_error = 0.0;   // of that mean
  Tensor each = {};              // root mean square over the elements of an image, [M]
  std::int64_t evaluations = 0;  // an image
};

/// Images on their way through the probability-flow ODE: Heun's method (Karras et al. 2022,
/// algorithm 1) on `edm`'s clock with ρ = 7 and so many steps that any sampler's error with a few
/// is far above its own; D at the lowest σ ends it. The ODE in z = x/s is the same on every
/// schedule, so that this is what every deterministic sampler converges to.
class ConvergedImages {
 public:
  /// With `kept`, what was found about these images (called `name` there) is taken from it and kept
  /// in it. Throws Interrupted between two batches if the process was asked to stop.
  ConvergedImages(GridTask task, std::vector<GridImages> images, std::int64_t steps = 128, KeptWork* kept = nullptr,
                  std::string name = "");

  /// How far the sampler's images on the grid are from the converged ones. Infinite for a grid that
  /// is none: not strictly decreasing on the schedule, or a result that is not finite. Throws Error
  /// if the sampler draws noise.
  GridDistance distance(const std::vector<double>& sigmas) const;
  /// The change when the reference's steps are doubled, as a distance.
  double uncertainty() const { return uncertainty_; }

  /// Grid of `steps` levels with the least sum of local errors, by dynamic programming over
  /// `candidates` levels of the trajectory (the idea of Watson et al. 2021, whose table held terms
  /// of the likelihood bound): the error of each possible step from the true z, carried to the end
  /// by the contraction that Gaussian data of the images' variance would have.
  std::vector<double> least_local_errors(std::int64_t steps, std::int64_t candidates = 32) const;

  const GridTask& task() const { return task_; }

 private:
  /// What it costs to begin at a node, to go from one to a later one, and to end at one.
  struct PathCosts {
    std::vector<double> first;              // [K]
    std::vector<std::vector<double>> step;  // [K][K]
    std::vector<double> last;               // [K]
  };
  /// Local errors between these levels of the trajectory.
  PathCosts local_errors(const std::vector<std::size_t>& nodes) const;
  /// The bytes of what `work` gives, kept if results are kept.
  std::string piece(const std::string& what, const std::function<std::string()>& work) const;
  GridDistance measured(const TimeGrid& grid) const;
  /// Computes z at each of the levels where it is not known: kept results do not hold it.
  void trace_states() const;
  /// Root mean square of the error of the step between two levels of the trajectory, from the true
  /// z; infinite where they are no two times.
  double step_error(std::size_t from, std::size_t to) const;

  GridTask task_;
  std::vector<GridImages> images_;
  KeptWork* kept_;
  std::string name_;
  std::vector<double> levels_;  // of the trajectory, decreasing
  // of each batch, z at each of the levels; may be empty
  mutable std::vector<std::vector<Tensor>> states_;
  std::vector<Tensor> clean_;  // of each batch
  double uncertainty_ = 0.0;
};

/// What a search for a grid found.
struct FoundGrid {
  std::vector<double> sigmas;
  double start = 0.0, distance = 0.0;  // before and after
  std::int64_t trials = 0, sweeps = 0;
};

/// Moves the levels of a grid, one at a time along ln σ with steps that grow and shrink, then all
/// together along the way of the last sweep (Hooke & Jeeves 1961), until a sweep gains less than
/// 0.1 % or `sweeps` are done. Order and range are kept. `swept` is called after each.
FoundGrid refined_grid(const ConvergedImages& images, std::vector<double> start, std::int64_t sweeps,
                       const std::function<void(std::int64_t sweep, double distance)>& swept = nullptr);

/// A grid that a config can name.
struct StandardGrid {
  std::string name;  // "karras, rho: 7, sigma_min: 0.002"
  std::vector<double> sigmas;
};
/// karras and log_snr with several ρ, uniform, quadratic, edm_vp and edm_ve on that schedule, each
/// from σ_max to several σ_min of the range, and the spacings of a table where the schedule has
/// one: what an optimized grid is to be compared with.
std::vector<StandardGrid> standard_grids(const NoiseSchedule& schedule, Interval sigmas, std::int64_t steps);

}  // namespace edmund
