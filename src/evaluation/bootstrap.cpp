// Bootstrap by weights: a resample is how often each image was drawn, and the distances are
// functions of these counts. Row 0 of all resamples is the set as it is, each image once.

#include "edmund/evaluation/bootstrap.h"

#include "edmund/core/error.h"
#include "edmund/core/philox.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <utility>

namespace edmund {
namespace {

constexpr std::int64_t kLargestKernelSet = 100000;
constexpr std::int64_t kNumbersAtOnce = 1 << 23;  // double precision: 64 MB
constexpr std::int64_t kTile = 1 << 22;           // 32 MB
constexpr std::int64_t kMostKept = 1 << 27;       // 1 GB
constexpr std::int64_t kMostAtOnce = 128;         // resamples
constexpr std::uint32_t kGenerated = 0, kReal = 1;

/// Counts float64 [rows, size] of the rows first …: `size` draws each.
Tensor counts(std::int64_t size, std::int64_t first, std::int64_t rows, std::uint64_t seed, std::uint32_t set) {
  const Tensor out = at::zeros({rows, size}, at::kDouble);
  for (std::int64_t r = 0; r < rows; ++r) {
    if (first + r == 0) {
      out[0].fill_(1.0);
      continue;
    }
    double* row = out.mutable_data_ptr<double>() + r * size;
    const RandomKey key{.seed = seed,
                        .stream = Stream::kEvaluation,
                        .sample = static_cast<std::uint64_t>(first + r - 1),
                        .draw = 0xB0070000u + set};
    for (std::int64_t i = 0; i < size; i += 4) {
      const auto words = key.words(static_cast<std::uint32_t>(i / 4));
      // off from uniform by size/2³² at most
      for (std::int64_t j = i; j < std::min(i + 4, size); ++j)
        row[(static_cast<std::uint64_t>(words[static_cast<std::size_t>(j - i)]) * static_cast<std::uint64_t>(size)) >>
            32] += 1;
    }
  }
  return out;
}

/// What `block` answers for each block of at most `at_once` of all `rows`, as one.
template <typename Block>
Tensor in_blocks(std::int64_t rows, std::int64_t at_once, const Block& block) {
  std::vector<Tensor> parts;
  for (std::int64_t first = 0; first < rows; first += at_once)
    parts.push_back(block(first, std::min(at_once, rows - first)));
  return at::cat(parts);
}

Resampled resampled(const Tensor& rows, bool unbiased) {
  return {.value = rows[0].item<double>(), .values = rows.narrow(0, 1, rows.size(0) - 1), .unbiased = unbiased};
}

Tensor to_double(const Tensor& x) { return x.detach().to(at::kCPU, at::kDouble); }

void require_finite(const Tensor& x) {
  require(x.isfinite().all().item<bool>(), "bootstrap: some feature is NaN or infinite");
}

void require_paired(const Tensor& a, const Tensor& b) {
  require(a.sizes() == b.sizes(), "paired difference: sets of {} and {} images; both must come from the same seeds",
          a.size(0), b.size(0));
}

Tensor checked(const Tensor& generated, const Tensor& real) {
  const Tensor x = to_double(generated);
  TORCH_CHECK(x.dim() == 2 && x.size(1) == real.size(1), "bootstrap: features ", x.sizes(), " and ", real.sizes());
  require_finite(x);
  return x;
}

/// Σ w x xᵀ [R, D, D] of rows x [N, D] under weights [R, N]: one product of matrices for a tile of
/// element pairs (i, j ≥ i), for all resamples.
Tensor weighted_squares(const Tensor& weights, const Tensor& x) {
  const std::int64_t R = weights.size(0), N = x.size(0), D = x.size(1);
  const Tensor columns = x.t().contiguous(), out = at::empty({R, D, D}, at::kDouble);
  for (std::int64_t i = 0; i < D;) {
    const std::int64_t width = D - i, rows = std::clamp<std::int64_t>(kTile / (N * width), 1, width);
    // [rows, width, N]
    const Tensor tile = columns.narrow(0, i, rows).unsqueeze(1) * columns.narrow(0, i, width);
    const Tensor squares = weights.mm(tile.flatten(0, 1).t()).view({R, rows, width});
    out.narrow(1, i, rows).narrow(2, i, width).copy_(squares);
    out.narrow(1, i, width).narrow(2, i, rows).copy_(squares.transpose(1, 2));
    i += rows;
  }
  return out;
}

/// Mean [R, D] and covariance [R, D, D] of rows x [N, D] that are there as often as the counts say.
std::pair<Tensor, Tensor> weighted_moments(const Tensor& weights, const Tensor& x) {
  const Tensor total = weights.sum(1, true);  // [R, 1]
  const Tensor mean = weights.mm(x) / total;  // [R, D]
  const Tensor outer = mean.unsqueeze(2) * mean.unsqueeze(1);
  const Tensor scatter = weighted_squares(weights, x) - total.unsqueeze(2) * outer;
  return {mean, scatter / (total - 1).unsqueeze(2)};
}

Tensor traces(const Tensor& matrices) { return matrices.diagonal(0, 1, 2).sum(1); }

/// Matrix of kernels (x·y/D + 1)³.
Tensor kernels(const Tensor& x, const Tensor& y) {
  return x.mm(y.t()).div_(static_cast<double>(x.size(1))).add_(1.0).pow_(3);
}

/// Mean kernel [R] over pairs of different images of one set.
Tensor within(const Tensor& weights, const Tensor& x) {
  const std::int64_t N = x.size(0);
  Tensor sum = at::zeros({weights.size(0)}, at::kDouble);
  for (std::int64_t i = 0; i < N;) {
    const std::int64_t width = N - i, rows = std::clamp<std::int64_t>(kTile / width, 1, width);
    const Tensor tile = kernels(x.narrow(0, i, rows), x.narrow(0, i, width)).fill_diagonal_(0);
    tile.narrow(1, rows, width - rows).mul_(2);  // those below the diagonal are the same
    sum += (weights.narrow(1, i, rows).mm(tile) * weights.narrow(1, i, width)).sum(1);
    i += rows;
  }
  return sum / (weights.sum(1).square() - weights.square().sum(1));
}

/// Mean kernel [R] over pairs of one image of each set.
Tensor between(const Tensor& wx, const Tensor& x, const Tensor& wy, const Tensor& y) {
  const std::int64_t N = x.size(0), block = std::max<std::int64_t>(kTile / y.size(0), 1);
  Tensor sum = at::zeros({wx.size(0)}, at::kDouble);
  for (std::int64_t i = 0; i < N; i += block) {
    const std::int64_t rows = std::min(block, N - i);
    sum += (wx.narrow(1, i, rows).mm(kernels(x.narrow(0, i, rows), y)) * wy).sum(1);
  }
  return sum / (wx.sum(1) * wy.sum(1));
}

}  // namespace

BootstrapInterval Resampled::interval(double level) const {
  BootstrapInterval out{.value = value};
  if (!unbiased) out.bias = values.mean().item<double>() - value;
  out.error = values.std().item<double>();
  // The resamples lie about value + bias, the value itself about truth + bias.
  const double tail = (1 - level) / 2;
  out.low = values.quantile(tail).item<double>() - 2 * out.bias;
  out.high = values.quantile(1 - tail).item<double>() - 2 * out.bias;
  return out;
}

Resampled difference(const Resampled& a, const Resampled& b) {
  return {.value = a.value - b.value, .values = a.values - b.values, .unbiased = a.unbiased};
}

/// Of resamples of the real set, features less the real mean: mean [R, D], A with Σ = A Aᵀ [R, D,
/// D], trace of Σ [R].
struct RealResamples::Moments {
  Tensor mean, root, trace;
};

RealResamples::RealResamples(const Tensor& real, const BootstrapSettings& settings)
    : settings_(settings), real_(to_double(real)) {
  TORCH_CHECK(real_.dim() == 2, "bootstrap: features ", real_.sizes());
  require(settings.resamples >= 2 && settings.level > 0 && settings.level < 1,
          "bootstrap: at least 2 resamples and a level inside (0, 1) are needed, found {} and {}", settings.resamples,
          settings.level);
  require_finite(real_);
}

Tensor RealResamples::real_counts(std::int64_t first, std::int64_t rows) const {
  const std::int64_t M = real_.size(0);
  return settings_.fixed_real ? at::ones({1, M}, at::kDouble) : counts(M, first, rows, settings_.seed, kReal);
}

RealResamples::Moments RealResamples::moments(std::int64_t first, std::int64_t rows) {
  const auto block = static_cast<std::size_t>(settings_.fixed_real ? 0 : first / rows_at_once());
  if (block < kept_.size() && kept_[block]) return *kept_[block];
  const auto [mean, covariance] = weighted_moments(real_counts(first, rows), real_ - real_.mean(0));
  const auto [values, vectors] = at::linalg_eigh(covariance);
  const Tensor root = vectors * values.clamp_min(0).sqrt().unsqueeze(1);
  const Moments out{mean, root, traces(covariance)};
  if ((first + rows) * real_.size(1) * real_.size(1) <= kMostKept) {
    kept_.resize(std::max(kept_.size(), block + 1));
    kept_[block] = std::make_shared<const Moments>(out);
  }
  return out;
}

std::int64_t RealResamples::rows_at_once() const {
  const std::int64_t M = real_.size(0), D = real_.size(1);
  return std::clamp<std::int64_t>(std::min(kNumbersAtOnce / M, 8 * kNumbersAtOnce / (D * D)), 1, kMostAtOnce);
}

Resampled RealResamples::frechet(const Tensor& generated) {
  const Tensor x = checked(generated, real_);
  const std::int64_t N = x.size(0), M = real_.size(0), D = x.size(1);
  require(
      std::min(N, M) > 2 * D,
      "bootstrap of a Fréchet distance: sets of {} and {} images for {} features; more than {} are needed, else use "
      "the kernel distance",
      N, M, D, 2 * D);
  const Tensor centered = x - real_.mean(0);  // squares lose no digits
  const auto block = [&](std::int64_t first, std::int64_t rows) {
    const Moments real = moments(first, rows);
    const auto [mean, covariance] = weighted_moments(counts(N, first, rows, settings_.seed, kGenerated), centered);
    // tr (Σ₁Σ₂)^½ from the eigenvalues of AᵀΣ₁A with Σ₂ = A Aᵀ.
    const Tensor product = real.root.transpose(1, 2).matmul(covariance).matmul(real.root);
    const Tensor symmetric = (product + product.transpose(1, 2)) / 2;
    const Tensor trace = at::linalg_eigvalsh(symmetric).clamp_min(0).sqrt().sum(1);
    return (mean - real.mean).square().sum(1) + traces(covariance) + real.trace - 2 * trace;
  };
  return resampled(in_blocks(settings_.resamples + 1, rows_at_once(), block), false);
}

Resampled RealResamples::kernel(const Tensor& generated) {
  const Tensor x = checked(generated, real_);
  const std::int64_t N = x.size(0), M = real_.size(0);
  require(std::min(N, M) >= 3 && std::max(N, M) <= kLargestKernelSet,
          "bootstrap of a kernel distance: 3 to {} images in each set are needed, found {} and {}", kLargestKernelSet,
          N, M);
  const std::int64_t at_once = std::max<std::int64_t>(kNumbersAtOnce / std::max(N, M), 1);
  if (!within_.defined())
    within_ = in_blocks(settings_.fixed_real ? 1 : settings_.resamples + 1, at_once,
                        [&](std::int64_t first, std::int64_t rows) { return within(real_counts(first, rows), real_); });
  const Tensor distances = in_blocks(settings_.resamples + 1, at_once, [&](std::int64_t first, std::int64_t rows) {
    const Tensor wx = counts(N, first, rows, settings_.seed, kGenerated), wy = real_counts(first, rows);
    const Tensor own = settings_.fixed_real ? within_ : within_.narrow(0, first, rows);
    return within(wx, x) + own - 2 * between(wx, x, wy, real_);
  });
  return resampled(distances, true);
}

BootstrapInterval frechet_interval(const Tensor& generated, const Tensor& real, const BootstrapSettings& settings) {
  return RealResamples(real, settings).frechet(generated).interval(settings.level);
}

BootstrapInterval kernel_interval(const Tensor& generated, const Tensor& real, const BootstrapSettings& settings) {
  return RealResamples(real, settings).kernel(generated).interval(settings.level);
}

BootstrapInterval frechet_difference(const Tensor& a, const Tensor& b, const Tensor& real,
                                     const BootstrapSettings& settings) {
  require_paired(a, b);
  RealResamples resamples(real, settings);
  return difference(resamples.frechet(a), resamples.frechet(b)).interval(settings.level);
}

BootstrapInterval kernel_difference(const Tensor& a, const Tensor& b, const Tensor& real,
                                    const BootstrapSettings& settings) {
  require_paired(a, b);
  RealResamples resamples(real, settings);
  return difference(resamples.kernel(a), resamples.kernel(b)).interval(settings.level);
}

}  // namespace edmund
