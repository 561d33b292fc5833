#include "edmund/schedules/betas.h"

#include "edmund/core/error.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace edmund {
namespace {

// N values from low to high, both ends exact.
std::vector<double> evenly(std::int64_t N, double low, double high) {
  std::vector<double> out(static_cast<std::size_t>(N));
  for (std::int64_t i = 0; i < N; ++i)
    out[static_cast<std::size_t>(i)] =
        std::lerp(low, high, N == 1 ? 0.0 : static_cast<double>(i) / static_cast<double>(N - 1));
  return out;
}

std::vector<double> cosine_betas(std::int64_t N) {
  // ᾱ_i = cos² of it
  const auto angle = [N](std::int64_t i) {
    return (static_cast<double>(i) / static_cast<double>(N) + 0.008) / 1.008 * std::numbers::pi / 2;
  };
  const double step = std::numbers::pi / 2 / (1.008 * static_cast<double>(N));
  std::vector<double> betas;
  // 1 - cos² b / cos² a, of which little would be left where N is large.
  for (std::int64_t i = 0; i < N; ++i) {
    const double c = std::cos(angle(i));
    betas.push_back(std::min(std::sin(step) * std::sin(angle(i) + angle(i + 1)) / (c * c), 0.999));
  }
  return betas;
}

// ᾱ falls as the logistic function does from -3 to 3, from 1 to 0.
std::vector<double> sigmoid_alpha_bar_betas(std::int64_t N) {
  const auto logistic = [](double x) { return 1 / (1 + std::exp(-x)); };
  const auto rest = [&](std::int64_t i) {  // ᾱ_i up to a factor
    return logistic(3) - logistic(6 * static_cast<double>(i) / static_cast<double>(N) - 3);
  };
  std::vector<double> betas;
  for (std::int64_t i = 0; i < N; ++i) betas.push_back(std::min((rest(i) - rest(i + 1)) / rest(i), 0.999));
  return betas;
}

}  // namespace

std::vector<double> make_betas(std::string_view kind, std::int64_t steps, double low, double high) {
  require(steps >= 1, "betas: at least 1 step is needed, found {}", steps);
  if (kind == "cosine") return cosine_betas(steps);
  if (kind == "sigmoid_alpha_bar") return sigmoid_alpha_bar_betas(steps);
  std::vector<double> betas;
  if (kind == "linear") {
    betas = evenly(steps, low, high);
  } else if (kind == "scaled_linear") {
    betas = evenly(steps, std::sqrt(low), std::sqrt(high));
    for (double& beta : betas) beta *= beta;
  } else if (kind == "sigmoid") {
    betas = evenly(steps, -6.0, 6.0);
    for (double& beta : betas) beta = low + (high - low) / (1 + std::exp(-beta));
  } else {
    fail("betas: unknown kind '{}'; known: linear, scaled_linear, cosine, sigmoid, sigmoid_alpha_bar", kind);
  }
  return betas;
}

std::vector<double> with_zero_terminal_snr(const std::vector<double>& betas) {
  const std::vector<double> alpha_bar = alphas_cumprod(betas);
  const double first = std::sqrt(alpha_bar.front()), last = std::sqrt(alpha_bar.back());
  std::vector<double> out;
  double previous = 1.0;
  for (const double value : alpha_bar) {
    const double root = (std::sqrt(value) - last) * first / (first - last);
    out.push_back((previous - root) * (previous + root) / (previous * previous));
    previous = root;
  }
  return out;
}

std::vector<double> alphas_cumprod(const std::vector<double>& betas) {
  std::vector<double> out;
  out.reserve(betas.size());
  double product = 1.0;
  for (const double beta : betas) out.push_back(product *= 1 - beta);
  return out;
}

}  // namespace edmund
