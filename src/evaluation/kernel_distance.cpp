// Kernel distance: unbiased squared MMD with the kernel k(x, y) = (x·y/D + 1)³ (Bińkowski et al.
// 2018, sec. 4; Gretton et al. 2012, eq. 3).

#include "edmund/evaluation/kernel_distance.h"

#include "edmund/core/error.h"

#include <algorithm>
#include <ATen/ATen.h>
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

double unbiased(double aa, double ab, double bb, double n, double m) {
  return aa / (n * (n - 1)) + bb / (m * (m - 1)) - 2 * ab / (n * m);
}

/// n times what each drawn image adds: the estimates with one row left out, from the row's sums
/// to its own set and to the other, less their mean, upside down.
Tensor left_out_influence(const Tensor& own, const Tensor& other, double n, double m) {
  const Tensor left_out = (own.sum() - 2 * own) / ((n - 1) * (n - 2)) - 2 * (other.sum() - other) / ((n - 1) * m);
  return (left_out.mean() - left_out) * (n - 1);
}

}  // namespace

DrawnDistance kernel_distance(const Tensor& drawn, const Tensor& real) {
  TORCH_CHECK(drawn.dim() == 2 && real.dim() == 2 && drawn.size(1) == real.size(1), "kernel_distance: features ",
              drawn.sizes(), " and ", real.sizes());
  require(drawn.size(0) > 1 && real.size(0) > 1,
          "kernel distance: at least 2 images in each set are needed, found {} and {}", drawn.size(0), real.size(0));
  const Tensor x = drawn.detach().to(at::kCPU, at::kDouble), y = real.detach().to(at::kCPU, at::kDouble);
  require(x.isfinite().all().item<bool>() && y.isfinite().all().item<bool>(),
          "kernel distance: some feature is NaN or infinite");
  const auto n = static_cast<double>(x.size(0)), m = static_cast<double>(y.size(0));
  const Tensor own = other_sums(x), other = kernel_sums(x, y);
  DrawnDistance out{
      .value = unbiased(own.sum().item<double>(), other.sum().item<double>(), other_sums(y).sum().item<double>(), n, m),
      .bias = 0.0};
  if (n > 2) out.influence = left_out_influence(own, other, n, m);
  return out;
}

}  // namespace edmund
