#include "edmund/ops/combine.h"

#include "cpu/kernels.h"
#include "fast.h"

#include <ATen/ops/empty_like.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>

namespace edmund::ops {
namespace {

// A sampler's state on the CPU: a few ten thousand numbers, where each operator of ATen costs as much as its work.
bool fits_cpu(const Tensor& x, const Tensor& y) {
  return kernels() == Kernels::kFast && x.is_cpu() && y.is_cpu() && x.scalar_type() == at::kDouble &&
         y.scalar_type() == at::kDouble && x.sizes() == y.sizes() && x.is_contiguous() && y.is_contiguous() &&
         !wants_gradient({&x, &y});
}

Tensor combined_on_cpu(double a, const Tensor& x, double b, const Tensor& y) {
  Tensor out = at::empty_like(x);
  const double *from = x.const_data_ptr<double>(), *other = y.const_data_ptr<double>();
  double* to = out.data_ptr<double>();
  at::parallel_for(0, x.numel(), 1 << 16, [&](std::int64_t first, std::int64_t last) {
    cpu::kernel_table().combine(a, from + first, b, other + first, last - first, to + first);
  });
  return out;
}

// What the GPU's kernel takes: x as it lies in memory, y in that order or channels-last; no gradients.
bool fits_gpu(const Tensor& x, const Tensor& y) {
  const auto type = x.scalar_type();
  return kernels() == Kernels::kFast && x.is_cuda() && y.is_cuda() && x.dim() == 4 && x.sizes() == y.sizes() &&
         (type == at::kFloat || type == at::kDouble) && x.is_contiguous() && x.numel() > 0 &&
         (y.is_contiguous() || y.is_contiguous(at::MemoryFormat::ChannelsLast)) && !wants_gradient({&x, &y});
}

}  // namespace

Tensor combine(double a, const Tensor& x, double b, const Tensor& y) {
  if (fits_gpu(x, y)) return cuda_operators().combine(a, x, b, y);
  if (fits_cpu(x, y)) return combined_on_cpu(a, x, b, y);
  return a * x + b * y.to(x.scalar_type());
}

}  // namespace edmund::ops
