#include "churn.h"

#include "edmund/ops/combine.h"

#include <algorithm>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

namespace edmund {

Churn read_churn(Options& options) {
  return {.amount = options.real("S_churn", 0.0, at_least(0)),
          .min = options.real("S_min", 0.0, at_least(0)),
          .max = options.real("S_max", std::numeric_limits<double>::infinity(), at_least(0)),
          .noise = options.real("S_noise", 1.0, between(0, 10))};
}

Churned churned(const Churn& churn, const NoiseSchedule& path, Tensor x, double t, std::size_t N, NoiseSource& noise) {
  if (churn.amount == 0.0) return {std::move(x), t};
  const double sigma = path.sigma(t), s = path.scale(t);
  const bool inside = sigma >= churn.min && sigma <= churn.max;
  const double gamma = inside ? std::min(churn.amount / static_cast<double>(N), std::numbers::sqrt2 - 1) : 0.0;
  const double t_hat = path.time(std::min(sigma + gamma * sigma, path.sigma(path.domain().high)));
  const double s_hat = path.scale(t_hat), sigma_hat = path.sigma(t_hat);
  const double added = std::sqrt(std::max(sigma_hat * sigma_hat - sigma * sigma, 0.0));
  const ops::Term n = noise.scaled(s_hat * added * churn.noise, x.sizes().slice(1));
  if (gamma == 0.0) return {std::move(x), t};
  return {ops::combine({{s_hat / s, x}, n}), t_hat};
}

}  // namespace edmund
