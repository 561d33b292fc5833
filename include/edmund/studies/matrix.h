#pragma once

#include "edmund/core/interval.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace edmund {

/// One sampler on one schedule with one parameterization, measured on a Gaussian mixture.
struct MatrixCell {
  std::string schedule, sampler, preconditioning;
  int order = 0;              // that the sampler's table states (see SamplerEntry)
  std::string with;           // and the options with which it holds
  std::string refusal;        // why the config is refused; empty if it is not
  std::string failure;        // what went wrong in running it; empty if nothing
  bool one_interval = false;  // measured between two entries of the schedule's table

  std::vector<double> steps, distances,
      evaluations;  // RMS distance to the ODE's solution in z, relative to z; network evaluations an image
  double slope = std::numeric_limits<double>::quiet_NaN();           // -d ln(distance)/d ln(steps)
  double standard_error = std::numeric_limits<double>::quiet_NaN();  // of the slope
  double deviation = std::numeric_limits<
      double>::quiet_NaN();  // stochastic: most that a mean or covariance is off, in standard errors
};

/// A pair that has no solver of its own in the matrix, yet must be refused or accepted as a config.
struct MatrixConfig {
  std::string config;   // "schedule ve, final euler"
  std::string refusal;  // empty if it is accepted
};

struct Matrix {
  Interval sigmas;           // over which the ODE is solved
  double uncertainty = 0.0;  // of the solution that distances are to, relative to z
  std::vector<MatrixCell> cells;
  std::vector<MatrixConfig> configs;
  double seconds = 0.0;
};

struct MatrixSettings {
  bool quick = false;        // one parameterization, fewer images
  std::int64_t threads = 2;  // cells at a time
  std::function<void(std::int64_t done, std::int64_t all)> progress =
      nullptr;  // heard on any thread, one call at a time
};

/// Measures every schedule × sampler × preconditioning of the tables, in double precision, each from its own config.
///
/// The network is exact for a Gaussian mixture: F = (D - c_skip·z)/c_out, told the noise level by c_noise as any network. Grids are uniform in ln σ. A
/// deterministic sampler starts on points of the mixture at σ_max and is compared with a fourth-order solution of dz/dσ = (z - D)/σ; its order is the
/// least-squares slope over the finest step counts whose error is above rounding. A stochastic one is compared in mean and covariance.
///
/// A schedule made of a table has slopes that jump at its entries. To a sampler that uses σ and s at grid times only this is nothing, but the error of one
/// that uses more of the clock is no power of the step across a jump: its order is taken inside the first interval, on the mixture in units that suit it.
Matrix convergence_matrix(const MatrixSettings& settings);

/// What a cell breaks of its sampler's promise, empty if nothing: |slope - order| <= 0.15, mean and covariance within 5 standard errors, an adaptive
/// solver within 1e-3; refusals are in order.
std::string complaint(const MatrixCell& cell);

/// JSON of all that was measured, and a page with tables and plots.
std::string matrix_json(const Matrix& matrix);
std::string matrix_page(const Matrix& matrix);

}  // namespace edmund
