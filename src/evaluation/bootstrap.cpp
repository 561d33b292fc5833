// Bootstrap by weights: a resample is how often each image was drawn, and the distances are functions of these counts.

#include "edmund/evaluation/bootstrap.h"

#include "edmund/core/error.h"
#include "edmund/core/philox.h"
#include "edmund/evaluation/frechet.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>
#include <functional>
#include <vector>

namespace edmund {
namespace {

constexpr std::int64_t kLargestKernelSet = 10000;
constexpr std::int64_t kNumbersAtOnce = 1 << 23;  // double precision: 64 MB

/// Distances [R] for counts [R, N] of generated and [R, M] of real images.
using Statistic = std::function<Tensor(const Tensor& generated, const Tensor& real)>;

/// Counts float64 [R, size] of resamples first … first + R - 1: `size` draws each.
Tensor counts(std::int64_t size, std::int64_t first, std::int64_t resamples, std::uint64_t seed, std::uint32_t set) {
  const Tensor out = at::zeros({resamples, size}, at::kDouble);
  for (std::int64_t r = 0; r < resamples; ++r) {
    double* row = out.mutable_data_ptr<double>() + r * size;
    const RandomKey key{.seed = seed,
                        .stream = Stream::kEvaluation,
                        .sample = static_cast<std::uint64_t>(first + r),
                        .draw = 0xB0070000u + set};
    for (std::int64_t i = 0; i < size; i += 4) {
      const auto words = key.words(static_cast<std::uint32_t>(i / 4));
      for (std::int64_t j = i; j < std::min(i + 4, size); ++j)  // off from uniform by size/2³² at most
        row[(static_cast<std::uint64_t>(words[static_cast<std::size_t>(j - i)]) * static_cast<std::uint64_t>(size)) >>
            32] += 1;
    }
  }
  return out;
}

enum class Bias { kEstimated, kNone };

BootstrapInterval interval(const Statistic& statistic, std::int64_t n, std::int64_t m, std::int64_t at_once, Bias bias,
                           const BootstrapSettings& settings) {
  require(settings.resamples >= 2 && settings.level > 0 && settings.level < 1,
          "bootstrap: at least 2 resamples and a level inside (0, 1) are needed, found {} and {}", settings.resamples,
          settings.level);
  const Tensor one = at::ones({1, n}, at::kDouble), all = at::ones({1, m}, at::kDouble);
  BootstrapInterval out{.value = statistic(one, all).item<double>()};
  std::vector<Tensor> values;
  for (std::int64_t first = 0; first < settings.resamples; first += at_once) {
    const std::int64_t some = std::min(at_once, settings.resamples - first);
    const Tensor real = settings.fixed_real ? all.expand({some, m}) : counts(m, first, some, settings.seed, 1);
    values.push_back(statistic(counts(n, first, some, settings.seed, 0), real));
  }
  const Tensor resampled = at::cat(values);
  if (bias == Bias::kEstimated) out.bias = resampled.mean().item<double>() - out.value;
  out.error = resampled.std().item<double>();
  // The resamples lie about value + bias, the value itself about truth + bias.
  const double tail = (1 - settings.level) / 2;
  out.low = resampled.quantile(tail).item<double>() - 2 * out.bias;
  out.high = resampled.quantile(1 - tail).item<double>() - 2 * out.bias;
  return out;
}

void check(const Tensor& x, const Tensor& y) {
  TORCH_CHECK(x.dim() == 2 && y.dim() == 2 && x.size(1) == y.size(1), "bootstrap: features ", x.sizes(), " and ",
              y.sizes());
  require(x.isfinite().all().item<bool>() && y.isfinite().all().item<bool>(),
          "bootstrap: some feature is NaN or infinite");
}

void check_pairs(const Tensor& a, const Tensor& b) {
  require(a.sizes() == b.sizes(), "paired difference: sets of {} and {} images; both must come from the same seeds",
          a.size(0), b.size(0));
}

Tensor to_double(const Tensor& x) { return x.detach().to(at::kCPU, at::kDouble); }

/// Mean [R, D] and covariance [R, D, D] of rows x [N, D] that are there as often as the counts say.
std::pair<Tensor, Tensor> weighted_moments(const Tensor& weights, const Tensor& x) {
  const Tensor total = weights.sum(1, true);             // [R, 1]
  const Tensor mean = weights.mm(x) / total;             // [R, D]
  const Tensor weighted = weights.unsqueeze(1) * x.t();  // [R, D, N]
  const Tensor squares = weighted.matmul(x);             // [R, D, D]
  const Tensor scatter = squares - total.unsqueeze(2) * mean.unsqueeze(2) * mean.unsqueeze(1);
  return {mean, scatter / (total - 1).unsqueeze(2)};
}

/// Fréchet distances [R] of moments of full rank: tr (Σ₁Σ₂)^½ from the eigenvalues of AᵀΣ₂A with Σ₁ = AAᵀ.
Tensor frechet_distances(const std::pair<Tensor, Tensor>& a, const std::pair<Tensor, Tensor>& b) {
  const auto [values, vectors] = at::linalg_eigh(a.second);
  const Tensor root = vectors * values.clamp_min(0).sqrt().unsqueeze(1);  // [R, D, D]
  const Tensor product = root.transpose(1, 2).matmul(b.second).matmul(root);
  const Tensor trace = at::linalg_eigvalsh((product + product.transpose(1, 2)) / 2).clamp_min(0).sqrt().sum(1);
  const auto diagonal = [](const Tensor& m) { return m.diagonal(0, 1, 2).sum(1); };
  return (a.first - b.first).square().sum(1) + diagonal(a.second) + diagonal(b.second) - 2 * trace;
}

Statistic frechet_statistic(const Tensor& generated, const Tensor& real) {
  const Tensor center = real.mean(0), x = generated - center, y = real - center;  // squares lose no digits
  return [x, y](const Tensor& wx, const Tensor& wy) {
    return frechet_distances(weighted_moments(wx, x), weighted_moments(wy, y));
  };
}

/// Matrix of kernels (x·y/D + 1)³.
Tensor kernels(const Tensor& x, const Tensor& y) {
  return x.mm(y.t()).div_(static_cast<double>(x.size(1))).add_(1.0).pow_(3);
}

/// Mean kernel [R] over pairs of different images of one set.
Tensor within(const Tensor& weights, const Tensor& kernel) {  // the kernel's diagonal is zero
  const Tensor total = weights.sum(1);
  return (weights.mm(kernel) * weights).sum(1) / (total.square() - weights.square().sum(1));
}

Statistic kernel_statistic(const Tensor& x, const Tensor& y) {
  const Tensor xx = kernels(x, x).fill_diagonal_(0), yy = kernels(y, y).fill_diagonal_(0), xy = kernels(x, y);
  return [xx, yy, xy](const Tensor& wx, const Tensor& wy) {
    const Tensor between = (wx.mm(xy) * wy).sum(1) / (wx.sum(1) * wy.sum(1));
    return within(wx, xx) + within(wy, yy) - 2 * between;
  };
}

Statistic difference(const Statistic& a, const Statistic& b) {
  return [a, b](const Tensor& wx, const Tensor& wy) { return a(wx, wy) - b(wx, wy); };
}

void check_frechet(const Tensor& x, const Tensor& y) {
  check(x, y);
  require(
      std::min(x.size(0), y.size(0)) > 2 * x.size(1),
      "bootstrap of a Fréchet distance: sets of {} and {} images for {} features; more than {} are needed, else use "
      "the kernel distance",
      x.size(0), y.size(0), x.size(1), 2 * x.size(1));
}

void check_kernel(const Tensor& x, const Tensor& y) {
  check(x, y);
  const std::int64_t large = std::max(x.size(0), y.size(0)), small = std::min(x.size(0), y.size(0));
  require(small >= 3 && large <= kLargestKernelSet,
          "bootstrap of a kernel distance: 3 to {} images in each set are needed, found {} and {}", kLargestKernelSet,
          x.size(0), y.size(0));
}

std::int64_t frechet_at_once(const Tensor& x, const Tensor& y) {
  return std::max<std::int64_t>(kNumbersAtOnce / (std::max(x.size(0), y.size(0)) * x.size(1)), 1);
}
std::int64_t kernel_at_once(const Tensor& x, const Tensor& y) {
  return std::max<std::int64_t>(kNumbersAtOnce / std::max(x.size(0), y.size(0)), 1);
}

}  // namespace

BootstrapInterval frechet_interval(const Tensor& generated, const Tensor& real, const BootstrapSettings& settings) {
  const Tensor x = to_double(generated), y = to_double(real);
  check_frechet(x, y);
  return interval(frechet_statistic(x, y), x.size(0), y.size(0), frechet_at_once(x, y), Bias::kEstimated, settings);
}

BootstrapInterval kernel_interval(const Tensor& generated, const Tensor& real, const BootstrapSettings& settings) {
  const Tensor x = to_double(generated), y = to_double(real);
  check_kernel(x, y);
  return interval(kernel_statistic(x, y), x.size(0), y.size(0), kernel_at_once(x, y), Bias::kNone, settings);
}

BootstrapInterval frechet_difference(const Tensor& a, const Tensor& b, const Tensor& real,
                                     const BootstrapSettings& settings) {
  check_pairs(a, b);
  const Tensor x = to_double(a), z = to_double(b), y = to_double(real);
  check_frechet(x, y), check_frechet(z, y);
  return interval(difference(frechet_statistic(x, y), frechet_statistic(z, y)), x.size(0), y.size(0),
                  frechet_at_once(x, y), Bias::kEstimated, settings);
}

BootstrapInterval kernel_difference(const Tensor& a, const Tensor& b, const Tensor& real,
                                    const BootstrapSettings& settings) {
  check_pairs(a, b);
  const Tensor x = to_double(a), z = to_double(b), y = to_double(real);
  check_kernel(x, y), check_kernel(z, y);
  return interval(difference(kernel_statistic(x, y), kernel_statistic(z, y)), x.size(0), y.size(0),
                  kernel_at_once(x, y), Bias::kNone, settings);
}

}  // namespace edmund
