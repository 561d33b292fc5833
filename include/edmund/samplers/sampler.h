#pragma once

#include "edmund/core/options.h"
#include "edmund/core/table.h"
#include "edmund/core/tensor.h"
#include "edmund/diffusion/denoiser.h"
#include "edmund/diffusion/noise_source.h"
#include "edmund/diffusion/time_grid.h"
#include "edmund/schedules/noise_schedule.h"

#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace edmund {

/// How a sampler goes from the last grid time to σ = 0.
enum class Final {
  kDenoise,  // x = D(x/s; σ)
  kEuler,    // an Euler step in t to the schedule's clean time (NVlabs/edm); kDenoise on edm, flow
  kNone,     // stays at the last grid time: x as it is there
};

/// From x at t_0 (std s·σ) to an image, on the device and in the dtype of x.
using Sampler = std::function<Tensor(const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, Tensor x,
                                     NoiseSource& noise)>;
using SamplerFactory = Sampler(Options&);

/// A row of the sampler table: an Entry, and what the sampler's error does as its steps get small.
/// The tests of order, moments, batches and dtypes and `edmund matrix` hold every row to it; a row
/// that states nothing fails.
struct SamplerEntry {
  static constexpr int kStochastic = -1;  // draws noise: tends to the right mean and covariance
  static constexpr int kTolerance = -2;   // chooses its own steps to keep its tolerance

  std::string_view name, about, source;
  SamplerFactory* make;
  /// Order of convergence to the probability-flow ODE in the step of a smooth grid, or one of the
  /// above.
  int order = 0;
  /// Options with which that holds, as in a config ("warm_up: runge_kutta"); empty: the defaults.
  std::string_view with = "";
};

std::span<const SamplerEntry> sampler_table();
/// What a row states, in words: "order 2", "order 4 (warm_up: runge_kutta)", "stochastic", "to its
/// tolerance", "order not stated".
std::string stated_order(int order, std::string_view with);
/// Row of the sampler that `type` names (default heun).
const SamplerEntry& chosen_sampler(Options& options);
/// Sampler that `type` names, its options (with `final`: denoise | euler | none) beside it.
Sampler make_sampler(Options& options);

/// Reads `final`.
Final final_step(Options& options, std::string_view fallback = "denoise");

/// Initial state at t_0 of the grid: x = s(t_0)·σ(t_0)·ε, ε the first draw of `noise`.
Tensor initial_state(const NoiseSchedule& schedule, const TimeGrid& grid, NoiseSource& noise,
                     at::IntArrayRef image_shape);

}  // namespace edmund
