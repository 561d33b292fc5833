// group_norm_silu on the GPU, by norm.cu.
#include "../group_norm_function.h"
#include "glue.h"

#include <ATen/ATen.h>

namespace edmund::ops::cuda {
namespace {

struct Norm : NormSettings {
  Tensor samples = {};  // int64 [B] on the GPU; undefined: no dropout

  Norm(const GroupNorm& args, at::Device device) : NormSettings(args) {
    if (dropout == 0.0) return;
    samples = args.key->positions.defined() ? args.key->positions
                                            : at::tensor(at::ArrayRef<std::int64_t>(args.key->samples)).to(device);
  }
};

NormTask task_of(const Tensor& x, const Norm& norm) {
  NormTask task{.shape = image_shape(x), .groups = norm.groups, .eps = norm.eps, .silu = norm.silu};
  if (norm.samples.defined())
    task.dropout = {.keys = {.seed = norm.seed,
                             .stream = Stream::kDropout,
                             .draw = norm.layer,
                             .samples = norm.samples.const_data_ptr<std::int64_t>()},
                    .limit = norm.limit(),
                    .kept = norm.kept()};
  return task;
}

Tensor partial_sums(const Tensor& x, const NormTask& task) {
  return empty_floats(x, {x.size(0), parts_of(task.shape), 2, x.size(1)});
}

Tensor forward(const Tensor& x, const Norm& norm, const NormInputs& inputs, Tensor& rows) {
  const c10::cuda::CUDAGuard guard(x.device());
  NormTask task = task_of(x, norm);
  task.weight = inputs.weight.const_data_ptr<float>();
  task.bias = inputs.bias.const_data_ptr<float>();
  task.scale = floats_or_null(inputs.scale);
  task.shift = floats_or_null(inputs.shift);
  Tensor y = empty_image(x, x.size(1), x.size(2), x.size(3));
  rows = empty_floats(x, {x.size(0), 4, x.size(1)});
  const Tensor partial = partial_sums(x, task);
  C10_CUDA_CHECK(norm_forward(task, x.const_data_ptr(), y.mutable_data_ptr(), rows.data_ptr<float>(),
                              partial.data_ptr<float>(), stream_of(x)));
  return y;
}

NormGradients backward(const Tensor& x, const Tensor& dy, const Tensor& rows, const Norm& norm,
                       const NormInputs& inputs, const InputGrads& grads) {
  const c10::cuda::CUDAGuard guard(x.device());
  const NormTask task = task_of(x, norm);
  Tensor dx = empty_image(x, x.size(1), x.size(2), x.size(3));
  const Tensor totals = empty_floats(x, {x.size(0), 2, x.size(1)});
  const Tensor terms = at::empty_like(totals), partial = partial_sums(x, task);
  C10_CUDA_CHECK(norm_backward(task, x.const_data_ptr(), dy.const_data_ptr(), rows.const_data_ptr<float>(),
                               dx.mutable_data_ptr(), totals.data_ptr<float>(), terms.data_ptr<float>(),
                               partial.data_ptr<float>(), stream_of(x)));
  const Tensor sums = totals.select(1, 0), products = totals.select(1, 1);  // [B, C] each
  const Tensor adapt = inputs.scale.defined() ? inputs.scale + 1.0 : Tensor();
  const auto over_images = [&](const Tensor& s) { return (adapt.defined() ? s * adapt : s).sum(0); };
  return {.x = dx,
          .weight = grads(1) ? over_images(products) : Tensor(),
          .bias = grads(2) ? over_images(sums) : Tensor(),
          .scale = grads(3) ? products * inputs.weight + sums * inputs.bias : Tensor(),
          .shift = grads(4) ? sums.contiguous() : Tensor()};
}

}  // namespace

Tensor group_norm_silu(const Tensor& x, const GroupNorm& args) {
  TORCH_CHECK(x.size(1) / args.groups <= kWidestGroup, "group_norm_silu: more than ", kWidestGroup,
              " channels in a group");
  return normalized<Norm, forward, backward>(x, args, Norm(args, x.device()));
}

}  // namespace edmund::ops::cuda
