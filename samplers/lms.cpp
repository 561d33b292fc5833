// lms — linear multistep method of Adams and Bashforth (Hairer et al. 1993, III.1) with σ as the variable, in z = x/s on every
// schedule (k-diffusion).
//
//   z' = z + Σ_j c_j ε_j,  ε_j = (z - D)/σ at the last `order` times,  c_j = ∫_σ^σ' ℓ_j(τ) dτ, ℓ_j Lagrange's polynomials over their σ
//   N evaluations.
//
//   order    4         1 to 4; 1 is `ddim`
//   warm_up, lower_order_final (never), final   see multistep.h
//   to_zero  false     true: the step to σ = 0 is one of these too (k-diffusion); `final` is then not used
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "multistep.h"

#include <ATen/TensorOperators.h>
#include <cmath>
#include <vector>

namespace edmund::samplers {
namespace {

// c_j of the last `order` of `sigma`, by Gauss's formula with two points: exact up to degree 3.
double weight(const std::vector<double>& sigma, std::size_t order, std::size_t j, double next) {
  const double now = sigma.back(), middle = (now + next) / 2, half = (next - now) / 2;
  const auto at = [&](std::size_t k) { return sigma[sigma.size() - 1 - k]; };
  double sum = 0.0;
  for (const double tau : {middle - half / std::sqrt(3.0), middle + half / std::sqrt(3.0)}) {
    double basis = 1.0;
    for (std::size_t k = 0; k < order; ++k)
      if (k != j) basis *= (tau - at(k)) / (at(j) - at(k));
    sum += half * basis;
  }
  return sum;
}

}  // namespace

Sampler make_lms(Options& options) {
  const OrderPolicy policy = read_order_policy(options, options.integer("order", 4, between(1, 4)));
  const bool to_zero = options.flag("to_zero", false);
  options.check(!(to_zero && options.has("final")), "to_zero", "to_zero: true is a final step; leave out final");
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource&) {
    const std::size_t N = grid.t.size(), count = to_zero ? N : N - 1;
    Tensor z = x / path.scale(grid.t.front());
    std::vector<double> sigma;
    std::vector<Tensor> eps;
    for (std::size_t i = 0; i < count; ++i) {
      const double next = i + 1 < N ? path.sigma(grid.t[i + 1]) : 0.0;
      sigma.push_back(path.sigma(grid.t[i]));
      const Tensor denoised = D(z, sigma.back());
      eps.insert(eps.begin(), (z - denoised) / sigma.back());
      if (eps.size() > 4) eps.pop_back();
      if (policy.starts(i) && next > 0) {
        z = runge_kutta_step(D, z, sigma.back(), next, denoised);
        continue;
      }
      const std::size_t order = policy.at(i, N - 1);
      for (std::size_t j = 0; j < order; ++j) z = z + weight(sigma, order, j, next) * eps[j];
    }
    return to_zero ? z : finish(D, path, path.scale(grid.t.back()) * z, grid.t.back(), policy.final);
  };
}

}  // namespace edmund::samplers
