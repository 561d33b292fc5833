// dpmpp_2m, dpmpp_3m, dpmpp_2m_sde, dpmpp_3m_sde — multistep DPM-Solver++ (Lu et al. 2022b, algorithm 2; the stochastic forms: its
// SDE-DPM-Solver++, and k-diffusion) in z = x/s with ln σ as the variable on every schedule.
//
//   h = ln(σ/σ'), k = (1 + η)h;  z' = e^{-k}·z + k·[φ₁D + w₁d₁ + w₂d₂] + σ'·√(1 - e^{-2ηh})·S_noise·n,  φ_j at -k
//   d₁, d₂: slope at σ and second divided difference of D over -ln σ, in units of h, from the last 2 or 3 evaluations.
//   2m: w₁ = φ₁/2 (midpoint) or φ₂ (heun), w₂ = 0.  3m: w₁ = φ₂, w₂ = φ₃ (published) or 2φ₃ (taylor).
//   N evaluations. η is λ² of `reverse_sde`; η = 0 is the ODE, without draws.
//
//   eta      0          1 for the sde forms
//   solver   midpoint   or heun; of 2m
//   weights  published  of 3m: the codes of Lu et al., diffusers and k-diffusion weigh d₂ by φ₃, which makes their third-order
//                       step one of order 2 with a small constant; or taylor: 2φ₃, as the expansion of D asks, of order 3
//   warm_up, ending     see exponential.h; warm_up: runge_kutta needs eta: 0
//   S_noise  1          factor on the standard deviation of the noise
//   final    denoise    or euler, none
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "exponential.h"

#include <ATen/TensorOperators.h>
#include <cmath>

namespace edmund::samplers {
namespace {

Sampler multistep(Options& options, std::int64_t order, double usual_eta) {
  const double eta = options.real("eta", usual_eta, between(0, 10)),
               S_noise = options.real("S_noise", 1.0, between(0, 10));
  const bool midpoint = order == 2 && options.choice("solver", "midpoint", {"midpoint", "heun"}) == "midpoint";
  const bool taylor = order == 3 && options.choice("weights", "published", {"published", "taylor"}) == "taylor";
  const OrderPolicy policy = read_order_policy(options, order);
  options.check(!policy.runge_kutta || eta == 0, "warm_up", "runge_kutta steps are of the ODE: needs eta: 0");
  const Final final = final_step(options);
  return [=](const Denoiser& D, const NoiseSchedule& path, const TimeGrid& grid, Tensor x, NoiseSource& noise) {
    Tensor z = x / path.scale(grid.t.front()), D1, D2;  // D1, D2: D one and two steps ago
    double h1 = 0.0, h2 = 0.0;
    for (std::size_t i = 0; i + 1 < grid.t.size(); ++i) {
      const double sigma = path.sigma(grid.t[i]), next = path.sigma(grid.t[i + 1]);
      const double h = std::log(sigma / next), k = (1 + eta) * h;
      const Tensor denoised = D(z, sigma);
      const std::int64_t now = policy.at(i, grid.t.size() - 1, final);
      if (policy.starts(i)) {
        z = runge_kutta_step(D, z, sigma, next, denoised);
      } else {
        Tensor mean = phi(1, -k) * denoised;
        if (now == 2) mean = mean + ((midpoint ? 0.5 * phi(1, -k) : phi(2, -k)) * (h / h1)) * (denoised - D1);
        if (now == 3) {
          const Tensor slope = (h / h1) * (denoised - D1);
          const Tensor d2 = (h / (h1 + h2)) * (slope - (h / h2) * (D1 - D2));
          mean = mean + phi(2, -k) * (slope + (h1 / h) * d2) + ((taylor ? 2 : 1) * phi(3, -k)) * d2;
        }
        z = ((next / sigma) * std::exp(-eta * h)) * z + k * mean;
      }
      const double std = next * std::sqrt(-std::expm1(-2 * eta * h)) * S_noise;
      if (eta > 0) z = z + std * noise.normal(x.sizes().slice(1)).to(x.dtype());
      D2 = D1, D1 = denoised, h2 = h1, h1 = h;
    }
    return finish(D, path, path.scale(grid.t.back()) * z, grid.t.back(), final);
  };
}

}  // namespace

Sampler make_dpmpp_2m(Options& options) { return multistep(options, 2, 0.0); }
Sampler make_dpmpp_3m(Options& options) { return multistep(options, 3, 0.0); }
Sampler make_dpmpp_2m_sde(Options& options) { return multistep(options, 2, 1.0); }
Sampler make_dpmpp_3m_sde(Options& options) { return multistep(options, 3, 1.0); }

}  // namespace edmund::samplers
