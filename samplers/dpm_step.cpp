#include "dpm_step.h"

#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund {

DpmStep dpm_step(std::int64_t order, const Denoiser& D, const Tensor& z, double sigma, double next) {
  const auto slope = [&](const Tensor& at, double level) { return (at - D(at, level)) / level; };
  const double h = std::log(sigma / next);
  const Tensor eps = slope(z, sigma);
  const Tensor z1 = z - (sigma - next) * eps;
  if (order == 1) return {z1, z};

  const double r1 = order == 2 ? 1.0 / 2 : 1.0 / 3, sigma_1 = sigma * std::exp(-r1 * h);
  const Tensor b1 = slope(z - (sigma - sigma_1) * eps, sigma_1) - eps;
  const Tensor z2 = z1 - ((sigma - next) / (2 * r1)) * b1;
  if (order == 2) return {z2, z1};

  const double r2 = 2.0 / 3, sigma_2 = sigma * std::exp(-r2 * h);
  const Tensor u = z - (sigma - sigma_2) * eps - ((r2 / r1) * ((sigma - sigma_2) / (r2 * h) - sigma_2)) * b1;
  return {z1 - (((sigma - next) / h - next) / r2) * (slope(u, sigma_2) - eps), z2};
}

}  // namespace edmund
