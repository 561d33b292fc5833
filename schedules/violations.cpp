#include "edmund/schedules/violations.h"

#include "edmund/core/error.h"
#include "edmund/core/format.h"

#include <algorithm>
#include <cmath>

namespace edmund {
namespace {

// Both ends, points that fill the interval evenly, and points crowded towards either end;
// ascending.
std::vector<double> sample_times(Interval times) {
  std::vector<double> out{times.low, times.high};
  double fraction = 0.5;
  for (int i = 0; i < 200; ++i) {
    fraction = std::fmod(fraction + 0.6180339887498949, 1.0);  // of the golden ratio
    const double near = std::pow(10, -6 * fraction);
    out.push_back(std::lerp(times.low, times.high, fraction));
    out.push_back(std::lerp(times.low, times.high, near));
    out.push_back(std::lerp(times.high, times.low, near));
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool near(double found, double expected, double relative, double absolute) {
  return std::abs(found - expected) <= std::max(relative * std::abs(expected), absolute);
}

// One property at t: "" where it is kept.
using Property = std::string(const NoiseSchedule& schedule, double t);

std::string scale_falls(const NoiseSchedule& schedule, double t) {
  const double s = schedule.scale(t), rate = schedule.scale_rate(t);
  if (!(s > 0 && s <= 1)) return format("s = {}, expected in (0, 1]", s);
  return rate <= 0 && std::isfinite(rate) ? "" : format("ds/dt = {}, expected at most 0", rate);
}

std::string sigma_rises(const NoiseSchedule& schedule, double t) {
  const double sigma = schedule.sigma(t), rate = schedule.sigma_rate(t);
  if (!(sigma > 0 && std::isfinite(sigma))) return format("σ = {}, expected above 0 and finite", sigma);
  return rate > 0 && std::isfinite(rate) ? "" : format("dσ/dt = {}, expected above 0", rate);
}

std::string time_inverts_sigma(const NoiseSchedule& schedule, double t) {
  const double sigma = schedule.sigma(t), back = schedule.time(sigma), again = schedule.sigma(back);
  if (!near(again, sigma, 1e-9, 0)) return format("σ = {}, but σ(time(σ)) = {}", sigma, again);
  // Where a relative change of σ moves t little (VE near t = 0) t is known to rounding of the
  // interval only.
  return near(back, t, 1e-9, 1e-13 * schedule.times().high) ? "" : format("time(σ(t)) = {}", back);
}

// Half the width of the differences at t; 0 where there is no room for them.
double room(const NoiseSchedule& schedule, double t) {
  const Interval times = schedule.times();
  double h = 1e-3 * std::min(t - times.low, times.high - t);
  // The slope of a table jumps at its entries.
  if (!schedule.levels().empty()) h = std::min(h, 0.4 * std::min(t - std::floor(t), std::ceil(t) - t));
  for (const double knot : schedule.clock().knots) h = std::min(h, 0.4 * std::abs(t - knot));
  return h <= 1e-6 * t ? 0.0 : h;
}

// `rate` against the Richardson-extrapolated central differences of f, whose error is O(h⁴).
template <typename Function>
std::string rate_is(double rate, double t, double h, Function&& f) {
  if (h == 0) return "";
  const auto central = [&](double step) { return (f(t + step) - f(t - step)) / (2 * step); };
  const double slope = (4 * central(h / 2) - central(h)) / 3;
  return near(rate, slope, 1e-7, 1e-14 * f(t) / h) ? "" : format("rate {}, but differences give {}", rate, slope);
}

std::string sigma_rate_is_its_derivative(const NoiseSchedule& schedule, double t) {
  const auto why = rate_is(schedule.sigma_rate(t), t, room(schedule, t), [&](double u) { return schedule.sigma(u); });
  return why.empty() ? "" : "σ has " + why;
}

std::string scale_rate_is_its_derivative(const NoiseSchedule& schedule, double t) {
  const auto why = rate_is(schedule.scale_rate(t), t, room(schedule, t), [&](double u) { return schedule.scale(u); });
  return why.empty() ? "" : "s has " + why;
}

std::string sigma_grows(const NoiseSchedule& schedule, const std::vector<double>& times) {
  for (std::size_t i = 1; i < times.size(); ++i)
    if (const double before = schedule.sigma(times[i - 1]), sigma = schedule.sigma(times[i]);
        times[i] > times[i - 1] && !(sigma > before))
      return format("σ does not increase: {} at t = {}, {} at t = {}", before, times[i - 1], sigma, times[i]);
  const double reach = schedule.domain().high, last = schedule.sigma(reach);
  return std::isfinite(last) ? "" : format("t = {}, the end of the domain: σ = {}", reach, last);
}

std::string first_breach(Property& property, const NoiseSchedule& schedule, const std::vector<double>& times) {
  for (const double t : times) {
    std::string why;
    try {
      why = property(schedule, t);
    } catch (const Error& error) {
      why = error.what();
    }
    if (!why.empty()) return format("t = {}: {}", t, why);
  }
  return "";
}

}  // namespace

std::vector<std::string> violations(const NoiseSchedule& schedule) {
  const std::vector<double> times = sample_times(schedule.times());
  std::vector<std::string> out{sigma_grows(schedule, times)};
  for (Property* property :
       {scale_falls, sigma_rises, time_inverts_sigma, sigma_rate_is_its_derivative, scale_rate_is_its_derivative})
    out.push_back(first_breach(*property, schedule, times));
  std::erase(out, "");
  return out;
}

}  // namespace edmund
