#pragma once

#include "edmund/core/interval.h"
#include "edmund/core/tensor.h"
#include "edmund/diffusion/gaussian_mixture.h"
#include "edmund/diffusion/model.h"
#include "edmund/diffusion/time_grid.h"
#include "edmund/schedules/noise_schedule.h"

#include <memory>

namespace edmund::matrix {

/// Three components of overlapping width, so that trajectories bend but do not split.
GaussianMixture mixture();

/// A network that is exact for a mixture under a preconditioning whose noise input is `log`, from
/// which it finds σ.
std::shared_ptr<Network> exact_network(const GaussianMixture& mixture, const Preconditioning& preconditioning);

/// The probability-flow ODE solved from the highest σ to the lowest, from points of the mixture
/// there.
struct Truth {
  GaussianMixture mixture;
  Interval sigmas;
  Tensor start, end;         // z [B, 1, 2, 2]
  double size = 0.0;         // RMS of the end
  double uncertainty = 0.0;  // relative to it
};
Truth solved(const GaussianMixture& mixture, Interval sigmas);

/// A schedule that notes whether more of its clock than σ and s at the grid times was asked for:
/// rates, or what lies between.
std::shared_ptr<NoiseSchedule> watched(std::shared_ptr<const NoiseSchedule> schedule, const TimeGrid& grid,
                                       std::shared_ptr<bool> clock_used);

/// Slope of ln y against ln x by least squares, and its standard error (two values of each at
/// least; the error needs three).
struct Slope {
  double value, standard_error;
};
Slope fitted(const std::vector<double>& x, const std::vector<double>& y);

/// Most that an element of the mean or the covariance of z [n, …] is off, in standard errors of the
/// sample.
double moment_deviation(const Tensor& z, const GaussianMixture& mixture, double sigma);

}  // namespace edmund::matrix
