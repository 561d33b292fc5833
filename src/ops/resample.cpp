#include "edmund/ops/ops.h"
#include "fast.h"

#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/tensor.h>
#include <c10/core/InferenceMode.h>
#include <map>
#include <mutex>
#include <tuple>

namespace edmund::ops {
namespace {

// Two equal taps: mean of 2×2 pixels down, copies up. The general filter gives the same numbers,
// several times slower.
Tensor box(const Tensor& x, Resample direction) {
  if (fast(x)) return cpu::resample_box(x, direction);
  if (const auto* gpu = fast_cuda(x)) return gpu->resample_box(x, direction);
  if (direction == Resample::kDown) return at::avg_pool2d(x, 2);
  const auto B = x.size(0), C = x.size(1), H = x.size(2), W = x.size(3);
  return x.reshape({B, C, H, 1, W, 1}).expand({B, C, H, 2, W, 2}).reshape({B, C, 2 * H, 2 * W});
}

// Kept for each GPU, which a copy from the host would make wait (and which recorded work forbids).
Tensor filter_like(const Tensor& x, const std::vector<double>& taps) {
  if (!x.is_cuda()) return resample_filter(taps).to(x.options());
  static std::mutex mutex;
  using Filters = std::map<std::tuple<std::vector<double>, int, at::ScalarType>, Tensor>;
  static Filters& kept =
      // never destroyed: at the end of the process there is no driver to give memory back to
      *new Filters;
  const std::scoped_lock lock(mutex);
  Tensor& filter = kept[{taps, x.get_device(), x.scalar_type()}];
  if (!filter.defined()) {
    const c10::InferenceMode off(false);  // training may come after sampling
    filter = resample_filter(taps).to(x.device(), x.scalar_type());
  }
  return filter;
}

}  // namespace

Tensor resample_filter(const std::vector<double>& taps) {
  const Tensor f = at::tensor(at::ArrayRef<double>(taps)).to(at::kFloat);
  const Tensor square = at::outer(f, f) / f.sum().square();
  return square.unsqueeze(0).unsqueeze(0);  // [1, 1, T, T]
}

Tensor resample(const Tensor& x, Resample direction, const std::vector<double>& taps,
                std::optional<std::int64_t> padding) {
  TORCH_CHECK(x.dim() == 4 && taps.size() % 2 == 0 && !taps.empty(),
              "resample: needs [B, C, H, W] and an even number of taps");
  const Timed timed([&] { return described(direction == Resample::kUp ? "double" : "halve", x, x.size(1)); });
  const auto size = static_cast<std::int64_t>(taps.size());
  const std::int64_t pad = padding.value_or((size - 1) / 2);
  const bool even = x.size(2) % 2 == 0 && x.size(3) % 2 == 0;
  if (size == 2 && pad == 0 && taps[0] == taps[1] && (even || direction == Resample::kUp)) return box(x, direction);
  const std::int64_t C = x.size(1);
  const Tensor f = filter_like(x, taps).expand({C, 1, size, size});
  if (direction == Resample::kDown) return at::conv2d(x, f, {}, 2, pad, 1, C);
  return at::conv_transpose2d(x, f * 4, {}, 2, pad, 0, C);
}

Tensor max_pool(const Tensor& x, std::int64_t stride, std::int64_t padding) {
  TORCH_CHECK(x.dim() == 4 && stride > 0 && (padding == 0 || padding == 1) && x.size(2) + 2 * padding >= 3 &&
                  x.size(3) + 2 * padding >= 3,
              "max_pool: no 3x3 window in ", x.sizes());
  const Timed timed([&] { return described("max pool", x, x.size(1)); });
  if (fast(x) && !wants_gradient({&x})) return cpu::max_pool(x, stride, padding);
  return at::max_pool2d(x, 3, stride, padding);
}

Tensor concat(const Tensor& a, const Tensor& b) {
  TORCH_CHECK(
      a.dim() == 4 && b.dim() == 4 && a.size(0) == b.size(0) && a.size(2) == b.size(2) && a.size(3) == b.size(3),
      "concat: ", a.sizes(), " and ", b.sizes(), " differ in more than channels");
  const Timed timed([&] { return described("join", a, a.size(1) + b.size(1)); });
  if (fast(a) && fast(b)) return cpu::concat(a, b);
  if (const auto* gpu = fast_cuda(a)) return gpu->concat(a, b);
  return at::cat({a, b}, 1);
}

}  // namespace edmund::ops
