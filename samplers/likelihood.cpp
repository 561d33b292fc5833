#include "edmund/samplers/likelihood.h"

#include "edmund/core/error.h"
#include "edmund/ops/random.h"
#include "edmund/samplers/velocity.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/InferenceMode.h>
#include <cmath>
#include <limits>
#include <numbers>
#include <torch/csrc/autograd/autograd.h>
#include <utility>
#include <vector>

namespace edmund {
namespace {

Tensor transposed_product(const Tensor& D, const Tensor& z, const Tensor& v, bool is_last) {
  return torch::autograd::grad({D}, {z}, {v}, /*retain_graph=*/!is_last)[0];  // Jᵀv
}

// v·Jv of every probe, [B, K].
Tensor probed(const Tensor& D, const Tensor& z, const std::vector<Tensor>& probes) {
  std::vector<Tensor> out;
  for (std::size_t k = 0; k < probes.size(); ++k)
    out.push_back((probes[k] * transposed_product(D, z, probes[k], k + 1 == probes.size())).flatten(1).sum(1));
  return at::stack(out, 1);
}

// tr J, [B, 1]: images do not mix, so that one gradient gives an element of the diagonal of each.
Tensor exact_trace(const Tensor& D, const Tensor& z) {
  const std::int64_t n = z[0].numel();
  Tensor sum = at::zeros({z.size(0), 1}, z.options().requires_grad(false));
  for (std::int64_t i = 0; i < n; ++i) {
    Tensor basis = at::zeros({z.size(0), n}, sum.options());
    basis.select(1, i).fill_(1);
    sum = sum + transposed_product(D, z, basis.view(z.sizes()), i + 1 == n).flatten(1).narrow(1, i, 1);
  }
  return sum;
}

std::vector<Tensor> drawn_probes(NoiseSource& noise, const Tensor& x0, const LikelihoodSettings& settings) {
  std::vector<Tensor> out;
  if (settings.trace == Trace::kExact) return out;
  for (std::int64_t k = 0; k < settings.probes; ++k) {
    const Tensor v = noise.normal(x0.sizes().slice(1)).to(x0.options());
    out.push_back(settings.trace == Trace::kRademacher ? v.sign() : v);
  }
  return out;
}

// Heun steps on the grid, from its last time to its first.
Solution heun(const Slope& slope, Tensor y, const TimeGrid& grid) {
  Solution out;
  for (std::size_t i = grid.t.size() - 1; i > 0; --i) {
    const double t = grid.t[i], u = grid.t[i - 1];
    const Tensor now = slope(t, y), then = slope(u, y + (u - t) * now);
    y = y + (0.5 * (u - t)) * (now + then);
    out.evaluations += 2;
    ++out.accepted;
  }
  out.y = std::move(y);
  return out;
}

}  // namespace

Likelihood log_likelihood(const Denoiser& D, const NoiseSchedule& schedule, const TimeGrid& grid, const Tensor& x0,
                          NoiseSource& noise, const LikelihoodSettings& settings) {
  require(!c10::InferenceMode::is_enabled(), "likelihood: it needs gradients, which inference mode does not have");
  require(settings.trace == Trace::kExact || settings.probes > 0, "likelihood: expected at least one probe, found {}",
          settings.probes);
  const std::int64_t B = x0.size(0), n = x0[0].numel();
  const std::vector<Tensor> probes = drawn_probes(noise, x0, settings);
  const auto K = static_cast<std::int64_t>(std::max<std::size_t>(probes.size(), 1));

  // y = (x, one integral of div v a probe), [B, n + K].
  const Slope slope = [&](double t, const Tensor& y) {
    Tensor traces;  // [B, K]
    const Denoiser traced = [&](const Tensor& z, double sigma) {
      const at::AutoGradMode gradients(true);
      const Tensor leaf = z.detach().requires_grad_(true);
      const Tensor denoised = D(leaf, sigma);
      traces = probes.empty() ? exact_trace(denoised, leaf) : probed(denoised, leaf, probes);
      return denoised.detach();
    };
    const Tensor v = velocity(traced, schedule, y.narrow(1, 0, n).reshape(x0.sizes()), t);
    const double growth = schedule.sigma_rate(t) / schedule.sigma(t),
                 scaling = schedule.scale_rate(t) / schedule.scale(t);
    return at::cat({v.flatten(1), static_cast<double>(n) * (scaling + growth) - growth * traces}, 1);
  };

  const at::NoGradGuard no_grad;
  const double start = grid.t.back(), end = grid.t.front(), s = schedule.scale(start);
  const Tensor y0 = at::cat({s * x0.flatten(1), at::zeros({B, K}, x0.options())}, 1);
  const Solution solution =
      settings.adaptive ? dormand_prince(slope, y0, start, end, *settings.adaptive) : heun(slope, y0, grid);

  const Tensor latent = solution.y.narrow(1, 0, n), integrals = solution.y.narrow(1, n, K);
  const double std = settings.prior_std.value_or(schedule.scale(end) * schedule.sigma(end));
  const auto dims = static_cast<double>(n);
  const Tensor prior =
      -0.5 * latent.square().sum(1) / (std * std) - 0.5 * dims * std::log(2 * std::numbers::pi * std * std);
  const Tensor error = !probes.empty() && K == 1 ? at::full({B}, std::numeric_limits<double>::quiet_NaN(), x0.options())
                       : K == 1                  ? at::zeros({B}, x0.options())
                                                 : integrals.std(1) / std::sqrt(static_cast<double>(K));
  return {.log_density = prior + integrals.mean(1) + dims * std::log(s),
          .probe_error = error,
          .latent = latent.reshape(x0.sizes()),
          .evaluations = solution.evaluations,
          .gradients = probes.empty() ? n : K};
}

Tensor dequantized(const Tensor& images, std::uint64_t seed, std::span<const std::int64_t> numbers) {
  const Tensor u =
      ops::uniform(seed, Stream::kDequantization, numbers, 0, images.sizes().slice(1), at::kDouble, at::kCPU);
  return (images.to(at::kDouble) + u.to(images.device())) / 128 - 1;
}

Tensor bits_per_dimension(const Tensor& log_density, std::int64_t dimensions, double offset) {
  return -log_density / (static_cast<double>(dimensions) * std::numbers::ln2) + offset;
}

}  // namespace edmund
