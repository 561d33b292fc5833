#include "edmund/evaluation/frechet.h"

#include "edmund/core/error.h"
#include "edmund/core/philox.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace edmund {
namespace {

constexpr std::uint64_t kDraw = 0xF1D0;  // first of the orders that subsets are taken from

Tensor to_double(const Tensor& features) {
  TORCH_CHECK(features.dim() == 2, "features must be [N, D], found ", features.sizes());
  return features.detach().to(at::kCPU, at::kDouble);
}

void require_finite(const Tensor& values, std::string_view what) {
  require(values.isfinite().all().item<bool>(),
          "Fréchet distance: the {} is not finite: some feature is NaN or infinite", what);
}

/// Eigenvalues of a covariance above its rounding errors, with their vectors: Σ = V diag(l) Vᵀ,
/// [r], [D, r].
std::pair<Tensor, Tensor> spectrum(const Tensor& covariance) {
  const auto [values, vectors] = at::linalg_eigh((covariance + covariance.t()) / 2);  // ascending
  const double noise = std::numeric_limits<double>::epsilon() * static_cast<double>(values.numel());
  const Tensor kept = at::nonzero(values > noise * values.abs().max()).squeeze(1);
  return {values.index_select(0, kept), vectors.index_select(1, kept)};
}

/// A with Σ = A Aᵀ, [D, rank].
Tensor factor(const Tensor& covariance) {
  const auto [values, vectors] = spectrum(covariance);
  return vectors * values.sqrt();
}

/// Cholesky's factor L of a covariance, Σ = L Lᵀ, [D, D]; empty if Σ is singular up to rounding.
std::optional<Tensor> full_rank_factor(const Tensor& covariance) {
  const auto [lower, fault] = at::linalg_cholesky_ex((covariance + covariance.t()) / 2);
  if (fault.item<int>() != 0) return std::nullopt;
  const Tensor pivots = lower.diagonal().square();
  const double noise = std::numeric_limits<double>::epsilon() * static_cast<double>(pivots.numel());
  if (!(pivots.min() > noise * pivots.max()).item<bool>()) return std::nullopt;
  return lower;
}

/// tr (Σ₁Σ₂)^½. With Σ = A Aᵀ it is the sum of the singular values of A₁ᵀA₂. Where both covariances
/// have full rank, these are the roots of the eigenvalues of L₁ᵀΣ₂L₁, at half the cost; squares
/// lose digits of the small ones, which their product tells, as it is known from the factors.
double trace_of_root(const Tensor& covariance_a, const Tensor& covariance_b) {
  // of the product's logarithm; the trace is then right to 1e-12
  constexpr double kTolerance = 1e-6;
  const auto a = full_rank_factor(covariance_a), b = full_rank_factor(covariance_b);
  if (a && b) {
    const Tensor squares = at::linalg_eigvalsh(a->t().mm(covariance_b).mm(*a));
    const Tensor expected = 2 * (a->diagonal().log().sum() + b->diagonal().log().sum());
    if ((squares.min() > 0).item<bool>() && ((squares.log().sum() - expected).abs() < kTolerance).item<bool>())
      return squares.sqrt().sum().item<double>();
  }
  // [rank a, rank b]
  const Tensor root = (a ? *a : factor(covariance_a)).t().mm(b ? *b : factor(covariance_b));
  return root.numel() == 0 ? 0.0 : at::linalg_svdvals(root).sum().item<double>();
}

/// A Gaussian.
struct Normal {
  Tensor mean, covariance;
};
Normal normal_of(const Tensor& x) {
  const Moments moments(x);
  return {moments.mean(), moments.covariance()};
}

double distance(const Normal& a, const Normal& b) {
  return frechet_distance(a.mean, a.covariance, b.mean, b.covariance);
}

constexpr std::int64_t kBlock = 4096;  // rows at once

/// Σ₂^½Σ₁Σ₂^½ = U diag(s²) Uᵀ on the range of Σ₂: coordinates y = (x - μ₁) map [D, r] with
/// variances s² [r], those above rounding.
struct Coordinates {
  Tensor map, s;
};
Coordinates coordinates(const Normal& own, const Normal& other) {
  const Tensor root = factor(other.covariance);  // [D, rank]: any root will do, it turns U alone
  const auto [squares, vectors] = spectrum(root.t().mm(own.covariance).mm(root));
  return {root.mm(vectors), squares.sqrt()};
}

/// Influence of each row of x on the distance, and the bias of second order, where so many rows of
/// each class were drawn.
void add_spread(DrawnDistance& out, const Tensor& x, const Normal& own, const Normal& other, const Tensor& labels) {
  const std::int64_t N = x.size(0), D = x.size(1);
  const auto count = static_cast<double>(N);
  const auto [map, s] = coordinates(own, other);
  const Tensor apart = 2 * (own.mean - other.mean);
  out.influence = at::empty({N}, at::kDouble);
  // N² times the variances of the mean's features, summed, and of the covariance's elements
  double of_mean = 0;
  Tensor variance = at::zeros({s.numel(), s.numel()}, at::kDouble);
  for (const Tensor& rows : rows_by_class(labels, N)) {
    const std::int64_t n = rows.numel();
    Tensor sum = at::zeros({D}, at::kDouble), second = at::zeros_like(variance), fourth = at::zeros_like(variance);
    double squares_of_x = 0;
    for (std::int64_t begin = 0; begin < n; begin += kBlock) {
      const Tensor block = rows.narrow(0, begin, std::min(kBlock, n - begin));
      const Tensor centered = x.index_select(0, block) - own.mean, y = centered.mm(map), squares = y.square();
      out.influence.index_copy_(0, block, centered.mv(apart) + centered.square().sum(1) - squares.mv(1 / s));
      sum += centered.sum(0);
      squares_of_x += centered.square().sum().item<double>();
      second += y.t().mm(y);              // Σ yᵢyⱼ
      fourth += squares.t().mm(squares);  // Σ yᵢ²yⱼ²
    }
    const auto size = static_cast<double>(n), unbiased = size / (size - 1);
    of_mean += unbiased * (squares_of_x - sum.square().sum().item<double>() / size);
    variance += unbiased * (fourth - second.square() / size);
  }
  out.influence = within_classes(out.influence, labels);
  const double of_covariance =
      (variance / (at::outer(s, s) * (s.unsqueeze(1) + s))).sum().item<double>() / (2 * count * count);
  out.bias = of_mean / (count * count) + of_covariance / (1 - 3 * static_cast<double>(D) / (8 * count));
}

}  // namespace

Moments::Moments(std::int64_t count, Tensor mean, Tensor scatter)
    : count_(count), mean_(std::move(mean)), scatter_(std::move(scatter)) {}

void Moments::add(const Tensor& features) {
  const Tensor x = to_double(features);
  const std::int64_t added = x.size(0);
  if (added == 0) return;
  const Tensor mean = x.mean(0);
  const Tensor centered = x - mean;
  const Tensor scatter = centered.t().mm(centered);
  if (count_ == 0) {
    mean_ = mean;
    scatter_ = scatter;
  } else {
    TORCH_CHECK(mean.numel() == mean_.numel(), "features of ", mean.numel(), " dimensions added to ", mean_.numel());
    const Tensor delta = mean - mean_;
    const double share = static_cast<double>(added) / static_cast<double>(count_ + added);
    scatter_ = scatter_ + scatter + at::outer(delta, delta) * (share * static_cast<double>(count_));
    mean_ = mean_ + delta * share;
  }
  count_ += added;
}

Tensor Moments::mean() const {
  require(count_ > 0, "mean of features: no images were added");
  return mean_;
}

Moments Moments::without(const Moments& part) const {
  require(part.count_ < count_, "moments: {} of {} images are taken away, nothing is left", part.count_, count_);
  if (part.count_ == 0) return *this;
  const auto all = static_cast<double>(count_), taken = static_cast<double>(part.count_), rest = all - taken;
  Moments out;
  out.count_ = count_ - part.count_;
  out.mean_ = mean_ + (mean_ - part.mean_) * (taken / rest);
  const Tensor delta = part.mean_ - out.mean_;
  out.scatter_ = scatter_ - part.scatter_ - at::outer(delta, delta) * (taken * rest / all);
  return out;
}

Tensor Moments::covariance() const {
  require(count_ > 1, "covariance of features: at least 2 images are needed, found {}", count_);
  return scatter_ / static_cast<double>(count_ - 1);
}

double frechet_distance(const Tensor& mean_a, const Tensor& covariance_a, const Tensor& mean_b,
                        const Tensor& covariance_b) {
  TORCH_CHECK(mean_a.sizes() == mean_b.sizes() && covariance_a.sizes() == covariance_b.sizes() &&
                  covariance_a.size(0) == mean_a.numel() && covariance_a.size(1) == mean_a.numel(),
              "frechet_distance: shapes ", mean_a.sizes(), " ", covariance_a.sizes(), " ", mean_b.sizes(), " ",
              covariance_b.sizes());
  const Tensor ma = mean_a.to(at::kDouble), mb = mean_b.to(at::kDouble);
  const Tensor ca = covariance_a.to(at::kDouble), cb = covariance_b.to(at::kDouble);
  for (const Tensor& m : {ma, mb}) require_finite(m, "mean");
  for (const Tensor& c : {ca, cb}) require_finite(c, "covariance");
  const double distance = (ma - mb).square().sum().item<double>() + ca.trace().item<double>() +
                          cb.trace().item<double>() - 2 * trace_of_root(ca, cb);
  return std::max(distance, 0.0);  // rounding
}

double frechet_distance(const Moments& a, const Moments& b) {
  return frechet_distance(a.mean(), a.covariance(), b.mean(), b.covariance());
}

DrawnDistance frechet_to(const Tensor& drawn, const Tensor& mean, const Tensor& covariance, const Tensor& labels) {
  const Tensor x = to_double(drawn);
  const Normal own = normal_of(x), other{mean.to(at::kDouble), covariance.to(at::kDouble)};
  DrawnDistance out{.value = distance(own, other)};
  if (x.size(0) > x.size(1)) add_spread(out, x, own, other, labels);
  return out;
}

std::int64_t enough_images(std::int64_t dims) { return 5 * dims; }

Extrapolation frechet_infinity(const Tensor& features, const Tensor& mean, const Tensor& covariance,
                               const ExtrapolationSettings& settings, const Tensor& labels) {
  const Tensor x = to_double(features);
  const std::int64_t count = x.size(0), dims = x.size(1);
  std::int64_t smallest = settings.smallest;
  if (smallest == 0) smallest = std::max(count / 10, std::min(2 * dims, count / 2));
  require(settings.points >= 3 && smallest >= 2 && smallest < count,
          "Fréchet distance at infinity: {} points from {} to {} images; at least 3 points and growing sets are needed",
          settings.points, smallest, count);
  Extrapolation out;
  std::vector<double> inverse;
  for (std::int64_t i = 0; i < settings.points; ++i) {
    const std::int64_t size = smallest + i * (count - smallest) / (settings.points - 1);
    std::vector<std::int64_t> order;
    for (std::int64_t j = 0; j < count; ++j)
      order.push_back(
          static_cast<std::int64_t>(permuted(static_cast<std::uint64_t>(j), static_cast<std::uint64_t>(count),
                                             settings.seed, kDraw + static_cast<std::uint64_t>(i))));
    const Tensor rows = in_proportion(at::tensor(order), labels).narrow(0, 0, size);
    const Normal some = normal_of(x.index_select(0, rows));
    out.sizes.push_back(size);
    out.values.push_back(distance(some, {mean, covariance}));
    inverse.push_back(1.0 / static_cast<double>(size));
  }
  // Least squares: value = infinity + slope/N.
  const Tensor u = at::tensor(inverse, at::kDouble), v = at::tensor(out.values, at::kDouble);
  const Tensor du = u - u.mean();
  const double spread = du.square().sum().item<double>();
  out.slope = du.dot(v).item<double>() / spread;
  out.infinity.value = (v.mean() - out.slope * u.mean()).item<double>();
  const double rest =
      (v - out.infinity.value - out.slope * u).square().sum().item<double>() / static_cast<double>(settings.points - 2);
  const double center = u.mean().item<double>();
  out.infinity.error = std::sqrt(rest * (1.0 / static_cast<double>(settings.points) + center * center / spread));
  return out;
}

}  // namespace edmund
