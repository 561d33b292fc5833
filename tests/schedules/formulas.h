#pragma once

#include "edmund/schedules/noise_schedule.h"

#include <functional>
#include <utility>

namespace edmund::testing {

/// A schedule of any formulas, right or wrong; by default σ = t and s = 1/t on [1, 10].
struct Formulas {
  using Function = std::function<double(double)>;
  Function s = [](double t) { return 1 / t; }, sigma = [](double t) { return t; };
  Function s_dot = [](double t) { return -1 / (t * t); }, sigma_dot = [](double) { return 1.0; };
  Function time = [](double level) { return level; };
  Clock clock = {.times = {1.0, 10.0}, .reach = 20.0};
};

class FormulaSchedule : public NoiseSchedule {
 public:
  explicit FormulaSchedule(Formulas formulas) : NoiseSchedule(formulas.clock), formulas_(std::move(formulas)) {}

 private:
  double s(double t) const override { return formulas_.s(t); }
  double sigma_of(double t) const override { return formulas_.sigma(t); }
  double s_dot(double t) const override { return formulas_.s_dot(t); }
  double sigma_dot(double t) const override { return formulas_.sigma_dot(t); }
  double time_of(double sigma) const override { return formulas_.time(sigma); }

  Formulas formulas_;
};

/// σ falls from 1 to 0.1, all else in keeping with it.
inline Formulas falling() {
  return {.sigma = [](double t) { return 1 / t; },
          .sigma_dot = [](double t) { return -1 / (t * t); },
          .time = [](double sigma) { return 1 / sigma; }};
}

}  // namespace edmund::testing
