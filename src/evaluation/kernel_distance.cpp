// Kernel distance: unbiased squared MMD with the kernel k(x, y) = (x·y/D + 1)³ (Bińkowski et al.
// 2018, sec. 4; Gretton et al. 2012, eq. 3).

#include "edmund/evaluation/kernel_distance.h"

#include "edmund/core/error.h"
#include "edmund/core/philox.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>
#include <vector>

namespace edmund {
namespace {

/// For each row of x the sum of k over all rows of y, [N]: block by block, so that no N x M matrix
/// is held.
Tensor kernel_sums(const Tensor& x, const Tensor& y) {
  constexpr std::int64_t kBlock = 1024;
  std::vector<Tensor> sums;
  for (std::int64_t begin = 0; begin < x.size(0); begin += kBlock) {
    Tensor k = x.narrow(0, begin, std::min(kBlock, x.size(0) - begin)).mm(y.t());  // [block, M]
    k.div_(static_cast<double>(x.size(1))).add_(1.0).pow_(3);
    sums.push_back(k.sum(1));
  }
  return at::cat(sums);
}

/// Σ over pairs of different rows, for each row: its own term k(x, x) taken out.
Tensor other_sums(const Tensor& x) {
  return kernel_sums(x, x) - (x.square().sum(1) / static_cast<double>(x.size(1)) + 1.0).pow(3);
}

struct Sums {
  Tensor aa, ab, bb, ba;  // for each row: of its own set (itself left out), of the other set
};

double unbiased(double aa, double ab, double bb, double n, double m) {
  return aa / (n * (n - 1)) + bb / (m * (m - 1)) - 2 * ab / (n * m);
}

/// Two-sample jackknife: the estimates with one row left out, from the row's sums alone.
double jackknife_variance(const Tensor& own, const Tensor& other, double n, double m) {
  const Tensor left_out = (own.sum() - 2 * own) / ((n - 1) * (n - 2)) - 2 * (other.sum() - other) / ((n - 1) * m);
  return (n - 1) / n * (left_out - left_out.mean()).square().sum().item<double>();
}

Estimate whole(const Tensor& a, const Tensor& b) {
  const auto n = static_cast<double>(a.size(0)), m = static_cast<double>(b.size(0));
  const Sums sums{other_sums(a), kernel_sums(a, b), other_sums(b), kernel_sums(b, a)};
  Estimate out;
  out.value = unbiased(sums.aa.sum().item<double>(), sums.ab.sum().item<double>(), sums.bb.sum().item<double>(), n, m);
  if (n > 2 && m > 2)
    out.error = std::sqrt(jackknife_variance(sums.aa, sums.ab, n, m) + jackknife_variance(sums.bb, sums.ba, m, n));
  return out;
}

/// `count` different rows, chosen by (seed, subset, side).
Tensor some_rows(const Tensor& x, std::int64_t count, std::uint64_t seed, std::uint64_t draw) {
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < count; ++i)
    rows.push_back(static_cast<std::int64_t>(
        permuted(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(x.size(0)), seed, draw)));
  return x.index_select(0, at::tensor(rows));
}

}  // namespace

Estimate kernel_distance(const Tensor& a, const Tensor& b, std::int64_t subsets, std::int64_t subset_size,
                         std::uint64_t seed) {
  TORCH_CHECK(a.dim() == 2 && b.dim() == 2 && a.size(1) == b.size(1), "kernel_distance: features ", a.sizes(), " and ",
              b.sizes());
  require(a.size(0) > 1 && b.size(0) > 1, "kernel distance: at least 2 images in each set are needed, found {} and {}",
          a.size(0), b.size(0));
  const Tensor x = a.detach().to(at::kCPU, at::kDouble), y = b.detach().to(at::kCPU, at::kDouble);
  require(x.isfinite().all().item<bool>() && y.isfinite().all().item<bool>(),
          "kernel distance: some feature is NaN or infinite");
  if (subsets == 0) return whole(x, y);

  const std::int64_t size = std::min({subset_size, x.size(0), y.size(0)});
  require(size > 1, "kernel distance: subsets need at least 2 images, found {}", subset_size);
  std::vector<double> values;
  for (std::int64_t i = 0; i < subsets; ++i) {
    const auto draw = 2 * static_cast<std::uint64_t>(i);
    const Tensor p = some_rows(x, size, seed, draw), q = some_rows(y, size, seed, draw + 1);
    const auto n = static_cast<double>(size);
    values.push_back(unbiased(other_sums(p).sum().item<double>(), kernel_sums(p, q).sum().item<double>(),
                              other_sums(q).sum().item<double>(), n, n));
  }
  const Tensor all = at::tensor(values, at::kDouble);
  return subsets > 1 ? mean_estimate(all) : Estimate{.value = values.front()};
}

}  // namespace edmund
