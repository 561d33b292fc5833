#include "churn.h"

#include "edmund/ops/sum.h"
#include "edmund/samplers/velocity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

namespace edmund {

Churn read_churn(Options& options) {
  return {.amount = options.real("S_churn", 0.0, at_least(0),
                                 "noise put back over the whole run (Karras et al. 2022, algorithm 2); 0: none"),
          .min = options.real("S_min", 0.0, at_least(0), "lowest σ at which noise is put back"),
          .max = options.real("S_max", std::numeric_limits<double>::infinity(), at_least(0),
                              "highest σ at which noise is put back"),
          .noise = options.real("S_noise", 1.0, between(0, 10), "factor on the deviation of what is put back")};
}

Churned churned(const Churn& churn, const NoiseSchedule& schedule, Tensor x, double t, std::size_t N,
                NoiseSource& noise) {
  if (churn.amount == 0.0) return {std::move(x), t};
  const double sigma = schedule.sigma(t), s = schedule.scale(t);
  const bool inside = sigma >= churn.min && sigma <= churn.max;
  const double gamma = inside ? std::min(churn.amount / static_cast<double>(N), std::numbers::sqrt2 - 1) : 0.0;
  const double t_hat = schedule.time(std::min(sigma + gamma * sigma, schedule.sigma(schedule.domain().high)));
  const double s_hat = schedule.scale(t_hat), sigma_hat = schedule.sigma(t_hat);
  const double added = std::sqrt(std::max((sigma_hat - sigma) * (sigma_hat + sigma), 0.0));
  const ops::Sum n = noise.draw(x);
  if (gamma == 0.0) return {std::move(x), t};
  return {s_hat / s * ops::Sum(x) + s_hat * added * churn.noise * n, t_hat};
}

Tensor finish(const Denoiser& D, const NoiseSchedule& schedule, const Tensor& x, double t, Final final,
              const Churn& churn, std::size_t N, NoiseSource& noise) {
  if (final == Final::kNone) return x;
  const auto [x_hat, t_hat] = churned(churn, schedule, x, t, N, noise);
  return finish(D, schedule, x_hat, t_hat, final);
}

}  // namespace edmund
