#pragma once

#include "edmund/core/interval.h"
#include "edmund/core/options.h"
#include "edmund/core/table.h"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

/// What a schedule states beside its formulas; the functions of NoiseSchedule say more on each.
struct Clock {
  Interval times;                                   // where 0 < s <= 1 and 0 < σ < ∞
  double reach = times.high;                        // the formulas carry up to this t >= times.high
  std::optional<double> clean_time = std::nullopt;  // where σ = 0
  Interval usual_sigmas = {};                       // that its authors sample in
  std::vector<double> levels = {};                  // of a table
  bool levels_only = false;                         // time() gives times of `levels` only
  std::vector<double> knots = {};                   // where the rates are continuous but not smooth
};

/// Noise schedule x_t = s(t)(x0 + σ(t)ε) (Karras et al. 2022, eq. 2-4): σ strictly increasing, s
/// not increasing. Plain doubles: no tensors, no state.
///
/// A plugin hands its Clock to the constructor and writes the five formulas at the end, which are
/// called with a t inside domain() only.
class NoiseSchedule {
 public:
  virtual ~NoiseSchedule() = default;

  /// s(t), the scale of the signal. All functions of t throw Error for a t outside domain(); one
  /// that misses it by rounding is taken as its end.
  double scale(double t) const { return s(inside(t)); }
  /// σ(t), the noise relative to the signal.
  double sigma(double t) const { return sigma_of(inside(t)); }
  /// ds/dt.
  double scale_rate(double t) const { return s_dot(inside(t)); }
  /// dσ/dt.
  double sigma_rate(double t) const { return sigma_dot(inside(t)); }
  /// Inverse of sigma(), in domain(). Throws Error for a σ that no t of domain() has (by more than
  /// rounding).
  double time(double sigma) const;
  /// Nearest time that a network with levels knows; t itself unless the schedule is snapped().
  double snap(double t) const { return clock_.levels_only ? time(sigma(t)) : t; }

  const Clock& clock() const { return clock_; }
  /// Closed interval of the schedule's own t; there 0 < s <= 1 and 0 < σ < ∞.
  Interval times() const { return clock_.times; }
  /// Where the functions may be evaluated: times(), and beyond its high end as far as the formulas
  /// carry, since churn lifts σ above the first grid point.
  Interval domain() const { return {clock_.times.low, clock_.reach}; }
  /// [σ(low), σ(high)].
  Interval sigmas() const { return {sigma(clock_.times.low), sigma(clock_.times.high)}; }
  /// Range that a time grid spans unless its authors published another: sigmas(), on `flow` cut to
  /// [0.002, 80].
  Interval sampling_sigmas() const;
  /// Time at which σ = 0, with s = 1 there, where the schedule has one: the target of the `euler`
  /// final step.
  std::optional<double> clean_time() const { return clock_.clean_time; }
  /// σ of each table entry, ascending, for schedules made of a table (`ddpm`, snapped()); empty for
  /// the others.
  const std::vector<double>& levels() const { return clock_.levels; }

 protected:
  explicit NoiseSchedule(Clock clock);

 private:
  // The formulas, for t inside domain(): s, σ, ds/dt, dσ/dt.
  virtual double s(double t) const = 0;
  virtual double sigma_of(double t) const = 0;
  virtual double s_dot(double t) const = 0;
  virtual double sigma_dot(double t) const = 0;
  // The t of σ > 0; outside domain(), or NaN, where there is none.
  virtual double time_of(double sigma) const = 0;

  double inside(double t) const { return domain().contains(t) ? t : near_end(t); }
  double near_end(double t) const;

  Clock clock_;
};

using ScheduleFactory = std::unique_ptr<NoiseSchedule>(Options&);

/// A row of the schedule table.
struct ScheduleEntry {
  std::string_view name, about, source;
  ScheduleFactory* make;
  /// Options with which it is another schedule, or goes to extremes. Whatever is tested on every
  /// schedule is tested with the defaults and with each of these.
  std::span<const std::string_view> variants = {};
  /// Options that stand for those without a default; empty where the name alone makes a schedule.
  std::string_view example = {};
};

/// What makes a schedule of the row, in a mapping behind `type: `: its name, and its example.
std::string example_of(const ScheduleEntry& row);

/// All schedules, in the order in which `edmund list` shows them.
std::span<const ScheduleEntry> schedule_table();
/// Schedule that `type` names (default edm), its options beside it; `scale` (default own) exchanges
/// s(t) as scaled() says. Wrong options are recorded; the result is valid in any case.
std::unique_ptr<NoiseSchedule> make_schedule(Options& options);

/// Same clock σ(t) under another scale (Karras et al. 2022, table 1): `unit` s = 1,
/// `variance_preserving` s = 1/√(1 + σ²).
enum class Scale { kOwn, kUnit, kVariancePreserving };
std::unique_ptr<NoiseSchedule> scaled(std::unique_ptr<NoiseSchedule> schedule, Scale scale);

/// Same schedule, but time() gives the time of the nearest of `levels` (σ, ascending; nearest in
/// |σ - level|, ties to the larger), so that a network which knows these levels only is sampled on
/// them exactly (Karras et al. 2022, round_sigma). Levels outside the schedule's domain are left
/// out; throws Error if none is left.
std::unique_ptr<NoiseSchedule> snapped(std::unique_ptr<NoiseSchedule> schedule, std::vector<double> levels);

}  // namespace edmund
