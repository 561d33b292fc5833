#include "edmund/evaluation/neighbors.h"

#include "edmund/core/error.h"
#include "edmund/io/image_io.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace edmund {
namespace {

constexpr std::int64_t kBlock = 1024;  // rows whose distances are held at once

struct Sets {
  // float64, moved so that the real mean is zero: the squares below lose fewer digits
  Tensor real, generated;
};
Sets prepared(const Tensor& real, const Tensor& generated, std::string_view metric) {
  TORCH_CHECK(real.dim() == 2 && generated.dim() == 2 && real.size(1) == generated.size(1), metric, ": features ",
              real.sizes(), " and ", generated.sizes());
  const Tensor x = real.detach().to(at::kCPU, at::kDouble), y = generated.detach().to(at::kCPU, at::kDouble);
  require(x.isfinite().all().item<bool>() && y.isfinite().all().item<bool>(), "{}: some feature is NaN or infinite",
          metric);
  const Tensor center = x.size(0) > 0 ? x.mean(0) : at::zeros({x.size(1)}, at::kDouble);
  return {x - center, y - center};
}

Tensor block_of(const Tensor& x, std::int64_t begin) { return x.narrow(0, begin, std::min(kBlock, x.size(0) - begin)); }

/// Squared distances [n, M] of rows x [n, D] to all rows of y.
Tensor squares(const Tensor& x, const Tensor& y) {
  Tensor out = x.mm(y.t()).mul_(-2);
  return out.add_(x.square().sum(1, true)).add_(y.square().sum(1)).clamp_min_(0);
}

/// Squares of the k smallest distances of each row to the other rows, ascending, and those rows:
/// [N, k].
std::pair<Tensor, Tensor> nearest_others(const Tensor& x, std::int64_t k) {
  std::vector<Tensor> values, rows;
  for (std::int64_t begin = 0; begin < x.size(0); begin += kBlock) {
    const Tensor block = block_of(x, begin);
    Tensor d = squares(block, x);
    d.diagonal(begin).fill_(std::numeric_limits<double>::infinity());  // itself
    const auto [value, row] = d.topk(k, 1, /*largest=*/false);
    values.push_back(value), rows.push_back(row);
  }
  return {at::cat(values), at::cat(rows)};
}

Tensor squared_radii(const Tensor& x, std::int64_t k, std::string_view metric) {
  require(k >= 1 && k < x.size(0), "{}: the {}-th neighbor needs more than {} images, found {}", metric, k, k,
          x.size(0));
  return nearest_others(x, k).first.select(1, k - 1);
}

Tensor inside(const Tensor& distances, const Tensor& radii, Ball ball) {
  return ball == Ball::kClosed ? distances <= radii : distances < radii;
}

/// For each row of `points` the number of balls around `centers` that it lies in, [M]; and for each
/// ball whether it holds a point, [N].
std::pair<Tensor, Tensor> covered(const Tensor& points, const Tensor& centers, const Tensor& radii, Ball ball) {
  std::vector<Tensor> counts;
  Tensor held = at::zeros({centers.size(0)}, at::kBool);
  for (std::int64_t begin = 0; begin < points.size(0); begin += kBlock) {
    const Tensor in = inside(squares(block_of(points, begin), centers), radii, ball);  // [block, N]
    counts.push_back(in.sum(1));
    held = held | in.any(0);
  }
  return {at::cat(counts), held};
}

double share(const Tensor& truths) { return truths.to(at::kDouble).mean().item<double>(); }

/// The distance again from the rows themselves, which is exactly 0 for copies.
Tensor exact(const Tensor& x, const Tensor& y, const Tensor& index) {
  std::vector<Tensor> out;
  for (std::int64_t begin = 0; begin < x.size(0); begin += kBlock) {
    const Tensor block = block_of(x, begin);
    out.push_back((block - y.index_select(0, index.narrow(0, begin, block.size(0)))).square().sum(1).sqrt());
  }
  return at::cat(out);
}

}  // namespace

PrecisionRecall precision_recall(const Tensor& real, const Tensor& generated, std::int64_t k, Ball ball) {
  const auto [x, y] = prepared(real, generated, "precision and recall");
  const Tensor real_radii = squared_radii(x, k, "precision"), generated_radii = squared_radii(y, k, "recall");
  return {.precision = share(covered(y, x, real_radii, ball).first > 0),
          .recall = share(covered(x, y, generated_radii, ball).first > 0)};
}

DensityCoverage density_coverage(const Tensor& real, const Tensor& generated, std::int64_t k, Ball ball) {
  const auto [x, y] = prepared(real, generated, "density and coverage");
  require(y.size(0) > 0, "density and coverage: there are no generated images");
  const auto [counts, held] = covered(y, x, squared_radii(x, k, "density and coverage"), ball);
  return {.density = counts.to(at::kDouble).mean().item<double>() / static_cast<double>(k), .coverage = share(held)};
}

Nearest nearest_real(const Tensor& real, const Tensor& generated) {
  const auto [x, y] = prepared(real, generated, "nearest images");
  require(x.size(0) > 1 && y.size(0) > 0, "nearest images: at least 2 real images and 1 other are needed");
  const Tensor radii = squared_radii(x, 1, "nearest images").sqrt();
  std::vector<Tensor> rows;
  for (std::int64_t begin = 0; begin < y.size(0); begin += kBlock)
    rows.push_back(squares(block_of(y, begin), x).argmin(1));
  Nearest out{.index = at::cat(rows)};
  out.distance = exact(y, x, out.index);
  out.copied = out.distance < radii.index_select(0, out.index);
  return out;
}

Nearest nearest_other(const Tensor& real) {
  const Tensor x = prepared(real, real, "nearest images").real;
  require(x.size(0) > 2, "nearest images: at least 3 real images are needed, found {}", x.size(0));
  const auto [values, rows] = nearest_others(x, 2);
  Nearest out{.index = rows.select(1, 0).contiguous()};
  out.distance = exact(x, x, out.index);
  // The neighbor's own nearest image, where that is not the one that asks.
  const Tensor first = rows.select(1, 0).index_select(0, out.index);
  const Tensor back = first == at::arange(x.size(0));
  const Tensor radii =
      at::where(back, values.select(1, 1).index_select(0, out.index), values.select(1, 0).index_select(0, out.index))
          .sqrt();
  out.copied = out.distance < radii;
  return out;
}

Tensor paired_distances(const Tensor& a, const Tensor& b) {
  TORCH_CHECK(a.dim() == 4 && a.scalar_type() == at::kByte && b.scalar_type() == at::kByte,
              "images must be uint8 [N, C, H, W]");
  require(a.sizes() == b.sizes(), "same-seed distance: the sets differ in their number or shape of images");
  std::vector<Tensor> out;
  for (std::int64_t begin = 0; begin < a.size(0); begin += kBlock) {
    const Tensor difference =
        (block_of(a, begin).to(at::kDouble) - block_of(b, begin).to(at::kDouble)).flatten(1) / 127.5;
    out.push_back(difference.square().mean(1).sqrt());
  }
  return out.empty() ? at::empty({0}, at::kDouble) : at::cat(out);
}

}  // namespace edmund
