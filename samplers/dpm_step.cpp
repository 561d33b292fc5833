#include "dpm_step.h"

#include <cmath>

namespace edmund {

DpmStep dpm_step(std::int64_t order, const Denoiser& D, const Tensor& z, double sigma, double next) {
  const auto noise = [&](const Tensor& at, double level) { return (at - ops::Sum(D(at, level))) / level; };
  const double h = std::log(sigma / next);
  const ops::Sum eps = noise(z, sigma), z1 = z - (sigma - next) * eps;
  if (order == 1) return {z1, z};

  const double r1 = order == 2 ? 1.0 / 2 : 1.0 / 3, sigma_1 = sigma * std::exp(-r1 * h);
  const ops::Sum b1 = noise(z - (sigma - sigma_1) * eps, sigma_1) - eps;
  const ops::Sum z2 = z1 - (sigma - next) / (2 * r1) * b1;
  if (order == 2) return {z2, z1};

  const double r2 = 2.0 / 3, sigma_2 = sigma * std::exp(-r2 * h);
  const Tensor u = z - (sigma - sigma_2) * eps - r2 / r1 * ((sigma - sigma_2) / (r2 * h) - sigma_2) * b1;
  const ops::Sum b2 = noise(u, sigma_2) - eps;
  return {z1 - ((sigma - next) / h - next) / r2 * b2, z2};
}

}  // namespace edmund
