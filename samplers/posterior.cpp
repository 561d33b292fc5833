#include "edmund/samplers/posterior.h"

#include <cmath>

namespace edmund {

AncestralStep ancestral_step(double sigma, double next, double eta) {
  if (eta == 0) return {next, 0.0};  // σ' may be above σ then: the ODE run backwards
  const double up = eta * next * std::sqrt((sigma - next) * (sigma + next)) / sigma;
  // √(σ'² - up²); as that difference nothing would be left of it where σ' is far below σ.
  return {next * std::hypot(std::sqrt((1 - eta) * (1 + eta)), eta * next / sigma), up};
}

double transition_std(const NoiseSchedule& schedule, double t, double sigma_u) {
  const double sigma = schedule.sigma(t);
  return schedule.scale(t) * std::sqrt((sigma - sigma_u) * (sigma + sigma_u));
}

}  // namespace edmund
