#include "autograd.h"
#include "cpu/kernels.h"
#include "edmund/core/format.h"
#include "fast.h"

#include <algorithm>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/Parallel.h>

namespace edmund::ops {
namespace {

constexpr std::int64_t kFewRows = 32;  // beyond them a matrix product is the faster way

Tensor few_rows(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const std::int64_t B = x.size(0), I = x.size(1), O = weight.size(0);
  Tensor y = at::empty({B, O}, at::kFloat);
  const Tensor rows = x.contiguous(), w = weight.contiguous();
  const float *from = rows.const_data_ptr<float>(), *of_w = w.const_data_ptr<float>(), *add = cpu::data_or_null(bias);
  float* to = y.data_ptr<float>();
  at::parallel_for(0, O, std::max<std::int64_t>(4, 65'536 / I), [&](std::int64_t first, std::int64_t last) {
    cpu::kernel_table().dot_rows(from, B, I, of_w, add, first, last, to, O);
  });
  return y;
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  TORCH_CHECK(x.dim() == 2 && x.size(1) == weight.size(1), "linear: x ", x.sizes(), " does not fit weight ",
              weight.sizes());
  const Timed timed([&] {
    const auto rows = static_cast<double>(x.size(0)), in = static_cast<double>(x.size(1)),
               out = static_cast<double>(weight.size(0));
    return OperatorTime{.name = format("linear {}x{} -> {}", x.size(0), x.size(1), weight.size(0)),
                        .flops = 2.0 * rows * in * out,
                        .bytes = static_cast<double>(x.element_size()) * (rows * (in + out) + in * out)};
  });
  if (fast(x) && x.size(0) <= kFewRows && weight.scalar_type() == at::kFloat && x.size(1) > 0 &&
      (!bias.defined() || bias.is_contiguous()) && !wants_gradient({&x, &weight, &bias}))
    return few_rows(x, weight, bias);
  return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
}

}  // namespace edmund::ops
