// deis — exponential Adams–Bashforth on the noise, tAB-DEIS (Zhang & Chen 2023) on any schedule, whose
// clock is its t.
//
//   z' = z + Σ_j C_j·ε_j,  ε = (z - D)/σ,  C_j = ∫_t^u L_j dσ:  L_j the Lagrange polynomials through the last degree + 1 times
//   The integrals are exact to rounding. N evaluations; order degree + 1. The first steps take what past there is (degree 0: DDIM).
//
//   degree      3      0 to 3; the paper's tAB0 … tAB3
//   polynomial  t      in the schedule's time (tAB); or sigma (the paper's ρAB), log_sigma (diffusers)
//   warm_up, lower_order_final (never), final   see multistep.h
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "multistep.h"

#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund::samplers {

Sampler make_deis(Options& options) {
  const auto degree = static_cast<std::size_t>(options.integer("degree", 3, between(0, 3)));
  const std::string polynomial = options.choice("polynomial", "t", {"t", "sigma", "log_sigma"});
  const OrderPolicy orders = read_order_policy(options, static_cast<std::int64_t>(degree) + 1);
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource&) {
    const auto place = [&](double t) {
      return polynomial == "t" ? t : polynomial == "sigma" ? path.sigma(t) : std::log(path.sigma(t));
    };
    // ∫ τ^i dσ over the step, τ from 0 to 1 on the axis of the polynomial.
    const auto moment = [&](double t, double u, int i) {
      const double sigma = path.sigma(t), next = path.sigma(u), h = std::log(sigma / next);
      if (polynomial == "sigma" || i == 0) return (next - sigma) / (i + 1);
      if (polynomial == "log_sigma") return -h * next * std::tgamma(i + 1) * phi(i + 1, h);
      return next -
             i * integral([&](double tau) { return std::pow(tau, i - 1) * path.sigma(std::lerp(t, u, tau)); }, 0, 1);
    };
    History eps;
    const auto pairs = steps(grid);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const auto [t, u] = pairs[i];
      const double sigma = path.sigma(t);
      Tensor z = x / path.scale(t);
      const Tensor denoised = D(z, sigma);
      remember(eps, {place(t), (z - denoised) / sigma}, orders.order);
      if (orders.starts(i)) {
        x = path.scale(u) * runge_kutta_step(D, z, sigma, path.sigma(u), denoised);
        continue;
      }
      std::vector<double> nodes, moments;
      for (std::size_t j = 0; j < orders.at(i, pairs.size()); ++j) {
        const Past& past = eps[j];
        moments.push_back(moment(t, u, static_cast<int>(nodes.size())));
        nodes.push_back((past.at - place(t)) / (place(u) - place(t)));
      }
      const std::vector<double> C = quadrature_weights(nodes, moments);
      for (std::size_t j = 0; j < C.size(); ++j) z = z + C[j] * eps[j].value;
      x = path.scale(u) * z;
    }
    return finish(D, path, x, grid.t.back(), orders.final);
  };
}

}  // namespace edmund::samplers
