#pragma once

#include "edmund/core/interval.h"
#include "edmund/core/kept_work.h"
#include "edmund/schedules/noise_schedule.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace edmund {

/// One schedule by itself: a row of the table with its defaults or with one of its variants.
struct MatrixSchedule {
  std::string schedule;  // "vp" or "ve, clock: sqrt"
  Interval sigmas;
  std::vector<std::string> violations;  // of its contract; empty if it keeps all (see violations())
};

/// One sampler on one schedule with one parameterization, measured on a Gaussian mixture.
struct MatrixCell {
  std::string schedule, sampler, preconditioning;
  int order = 0;              // that the sampler's table states (see SamplerEntry)
  std::string with;           // and the options with which it holds
  std::string failure;        // why it could not be configured or run; empty if it could
  bool one_interval = false;  // measured between two entries of the schedule's table

  std::vector<double> steps, distances,
      // RMS distance to the ODE's solution in z, relative to z; network evaluations an image
      evaluations;
  double slope = std::numeric_limits<double>::quiet_NaN();           // -d ln(distance)/d ln(steps)
  double standard_error = std::numeric_limits<double>::quiet_NaN();  // of the slope
  double deviation = std::numeric_limits<
      // stochastic: most that a mean or covariance is off, in standard errors
      double>::quiet_NaN();
};

/// A pair that has no solver of its own in the matrix, yet must be refused or accepted as a config.
struct MatrixConfig {
  std::string config;    // "schedule ve; sampler heun; final euler; preconditioning edm"
  std::string expected;  // why it is to be refused; empty if it is to be accepted
  std::string refusal;   // why it is; empty if it is accepted
};

struct Matrix {
  Interval sigmas;           // over which the ODE is solved
  double uncertainty = 0.0;  // of the solution that distances are to, relative to z
  std::vector<MatrixSchedule> schedules;
  std::vector<MatrixCell> cells;
  std::vector<MatrixConfig> configs;
  double seconds = 0.0;
};

struct MatrixSettings {
  bool quick = false;        // one parameterization, fewer images
  std::int64_t threads = 2;  // cells at a time
  KeptWork* kept = nullptr;  // measured cells are taken from it and kept in it
  /// Called after each cell, on any thread, one call at a time.
  std::function<void(std::int64_t done, std::int64_t all)> progress = nullptr;
};

/// Measures every schedule by itself, then every schedule × sampler × preconditioning of the
/// tables, in double precision, each from its own config.
///
/// The network is exact for a Gaussian mixture: F = (D - c_skip·z)/c_out, told the noise level by
/// c_noise as any network. Grids are uniform in ln σ. A deterministic sampler starts on points of
/// the mixture at σ_max and is compared with a fourth-order solution of dz/dσ = (z - D)/σ; its
/// order is the least-squares slope over the finest step counts whose error is above rounding. A
/// stochastic one is compared in mean and covariance.
///
/// A schedule made of a table has slopes that jump at its entries. To a sampler that uses σ and s
/// at grid times only this is nothing, but the error of one that uses more of the clock is no power
/// of the step across a jump: its order is taken inside the first interval, on the mixture in units
/// that suit it. Throws Interrupted between two cells if the process was asked to stop.
Matrix convergence_matrix(const MatrixSettings& settings);

/// A schedule by itself, as the matrix measures it.
MatrixSchedule measured(std::string name, const NoiseSchedule& schedule);

/// What a schedule breaks of its contract, empty if nothing.
std::string complaint(const MatrixSchedule& schedule);
/// What a cell breaks of its sampler's promise, empty if nothing: |slope - order| <= 0.15, mean and
/// covariance within 5 standard errors, an adaptive solver within 1e-3. A cell that could not be
/// measured is a complaint too: its range of σ is one that every schedule is to span.
std::string complaint(const MatrixCell& cell);
/// A config that is refused without need or accepted against expectation; empty if it is neither.
std::string complaint(const MatrixConfig& config);
/// All of them, each with what it is about.
std::vector<std::string> complaints(const Matrix& matrix);
/// "966 cells, 26 schedules and 754 configs: all as stated", or how many are not.
std::string summary(const Matrix& matrix);

/// JSON of all that was measured, and a page with tables and plots.
std::string matrix_json(const Matrix& matrix);
std::string matrix_page(const Matrix& matrix);

}  // namespace edmund
