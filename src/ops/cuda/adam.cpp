// Random numbers, and Adam with its EMAs, on the GPU.
#include "glue.h"

#include <algorithm>
#include <ATen/ATen.h>

namespace edmund::ops::cuda {

void adam_ema(Tensor& parameters, const std::vector<GradientPiece>& gradient, Tensor& first_moment,
              Tensor& second_moment, std::vector<Tensor>& ema, const AdamStep& args, const LiveAdam& live) {
  TORCH_CHECK(ema.size() <= static_cast<std::size_t>(kMostCopies), "adam_ema: at most ", kMostCopies,
              " EMA copies on a GPU, found ", ema.size());
  const c10::cuda::CUDAGuard guard(parameters.device());
  AdamTask task{.copies = static_cast<int>(ema.size()),
                .one_minus_beta1 = static_cast<float>(1.0 - args.beta1),
                .one_minus_beta2 = static_cast<float>(1.0 - args.beta2),
                .eps = static_cast<float>(args.eps),
                .live_terms = floats_or_null(live.terms),
                .norm = floats_or_null(live.norm),
                .clip_norm = static_cast<float>(live.clip_norm),
                .skip_nonfinite = live.skip_nonfinite,
                .zero_nonfinite = args.zero_nonfinite};
  const std::vector<float> terms = adam_terms(args);
  std::copy(terms.begin(), terms.end(), task.terms);
  for (const auto& [first, values] : gradient) {
    task.p = parameters.data_ptr<float>() + first;
    task.g = values.const_data_ptr<float>();
    task.m = first_moment.data_ptr<float>() + first;
    task.v = second_moment.data_ptr<float>() + first;
    for (std::size_t i = 0; i < ema.size(); ++i) task.ema[i] = ema[i].data_ptr<float>() + first;
    for (std::size_t i = 0; i < live.ema_rests.size(); ++i)
      task.ema_rest[i] = live.ema_rests[i].data_ptr<float>() + first;
    task.size = values.numel();
    C10_CUDA_CHECK(adam(task, stream_of(parameters)));
  }
}

Tensor draw(const Draw& draw, Distribution distribution, std::int64_t count) {
  const Tensor samples = draw.samples.contiguous();
  const c10::cuda::CUDAGuard guard(samples.device());
  const RowKeys keys = row_keys(draw, samples, count);
  const std::int64_t rows = samples.size(0);
  const auto type = distribution == Distribution::kWords ? at::kInt
                    : draw.dtype == at::kDouble          ? at::kDouble
                                                         : at::kFloat;
  Tensor out = at::empty({rows, count}, samples.options().dtype(type));
  const cudaStream_t stream = stream_of(samples);
  const bool normal = distribution == Distribution::kNormal, wide = type == at::kDouble;
  if (type == at::kInt) {
    auto* words = reinterpret_cast<std::uint32_t*>(out.data_ptr<std::int32_t>());
    C10_CUDA_CHECK(draw_words(keys, rows, count, words, stream));
  } else if (normal && wide) {
    C10_CUDA_CHECK(draw_normal(keys, rows, count, out.data_ptr<double>(), stream));
  } else if (normal) {
    C10_CUDA_CHECK(draw_normal(keys, rows, count, out.data_ptr<float>(), stream));
  } else if (wide) {
    C10_CUDA_CHECK(draw_uniform(keys, rows, count, out.data_ptr<double>(), stream));
  } else {
    C10_CUDA_CHECK(draw_uniform(keys, rows, count, out.data_ptr<float>(), stream));
  }
  return out;
}

}  // namespace edmund::ops::cuda
