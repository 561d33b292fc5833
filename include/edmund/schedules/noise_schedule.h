#pragma once

#include "edmund/core/interval.h"
#include "edmund/core/options.h"
#include "edmund/core/table.h"

#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace edmund {

/// Gaussian path x_t = s(t)(x0 + σ(t)ε) (Karras et al. 2022, eq. 2-4), σ strictly increasing. Plain doubles: no tensors,
/// no state. The functions of t throw Error for a t outside domain().
class NoiseSchedule {
 public:
  virtual ~NoiseSchedule() = default;

  /// Closed interval of the schedule's own t; there s > 0 and 0 < σ < ∞.
  virtual Interval times() const = 0;
  /// Where the functions may be evaluated: times(), and beyond its high end as far as the formulas carry, since churn lifts
  /// σ above the first grid point.
  virtual Interval domain() const { return times(); }
  /// s(t), the scale of the signal.
  virtual double scale(double t) const = 0;
  /// σ(t), noise relative to the signal.
  virtual double sigma(double t) const = 0;
  /// ds/dt.
  virtual double scale_rate(double t) const = 0;
  /// dσ/dt.
  virtual double sigma_rate(double t) const = 0;
  /// Inverse of sigma(), in domain(). Throws Error for a σ that no t of domain() has (by more than rounding).
  virtual double time(double sigma) const = 0;
  /// Nearest time that a network with levels knows; t itself unless the schedule is snapped().
  virtual double snap(double t) const { return t; }
  /// Time at which σ = 0, with s = 1 there, where the schedule has one: the target of the `euler` final step.
  virtual std::optional<double> clean_time() const { return std::nullopt; }
  /// σ of each table entry, ascending, for schedules made of a table (`ddpm`, snapped()); empty for the others.
  virtual std::vector<double> levels() const { return {}; }

  /// [σ(low), σ(high)].
  Interval sigmas() const { return {sigma(times().low), sigma(times().high)}; }
  /// Range that a time grid spans unless its authors published another: sigmas(), except on `flow`.
  virtual Interval sampling_sigmas() const { return sigmas(); }

 protected:
  /// t, or the end of domain() that it misses by rounding only. Throws Error otherwise.
  double inside(double t) const;
};

using ScheduleFactory = std::unique_ptr<NoiseSchedule>(Options&);

/// All schedules, in the order in which `edmund list` shows them.
std::span<const Entry<ScheduleFactory>> schedule_table();
/// Schedule that `type` names (default edm), its options beside it; `scale` (default own) exchanges s(t) as scaled() says.
/// Wrong options are recorded; the result is valid in any case.
std::unique_ptr<NoiseSchedule> make_schedule(Options& options);

/// Same clock σ(t) under another scale (Karras et al. 2022, table 1): `unit` s = 1, `variance_preserving` s = 1/√(1 + σ²).
enum class Scale { kOwn, kUnit, kVariancePreserving };
std::unique_ptr<NoiseSchedule> scaled(std::unique_ptr<NoiseSchedule> path, Scale scale);

/// Same path, but time() answers the time of the nearest of `levels` (σ, ascending; nearest in |σ - level|, ties to the
/// larger). A network that knows some noise levels only is sampled on it exactly (Karras et al. 2022, round_sigma). Levels
/// outside the path's domain are left out; throws Error if none is left.
std::unique_ptr<NoiseSchedule> snapped(std::unique_ptr<NoiseSchedule> path, std::vector<double> levels);

}  // namespace edmund
