#include "cpu/kernels.h"
#include "fast.h"

#include <ATen/core/grad_mode.h>
#include <ATen/Parallel.h>
#include <cmath>

namespace edmund::ops::cpu {

void adam_ema(Tensor& parameters, Tensor& gradient, Tensor& first_moment, Tensor& second_moment,
              std::vector<Tensor>& ema, const AdamStep& args) {
  const at::NoGradGuard no_grad;
  const auto t = static_cast<double>(args.step);
  const double correction1 = 1.0 - std::pow(args.beta1, t), correction2 = 1.0 - std::pow(args.beta2, t);
  const AdamTerms terms{.beta1 = static_cast<float>(args.beta1),
                        .one_minus_beta1 = static_cast<float>(1.0 - args.beta1),
                        .beta2 = static_cast<float>(args.beta2),
                        .one_minus_beta2 = static_cast<float>(1.0 - args.beta2),
                        .eps = static_cast<float>(args.eps),
                        .decay = static_cast<float>(1.0 - args.learning_rate * args.weight_decay),
                        .inverse_root_correction2 = static_cast<float>(1.0 / std::sqrt(correction2)),
                        .step_size = static_cast<float>(args.learning_rate / correction1),
                        .gradient_scale = static_cast<float>(args.gradient_scale),
                        .zero_nonfinite = args.zero_nonfinite};
  std::vector<float> betas(args.ema_beta.begin(), args.ema_beta.end());
  float *p = parameters.data_ptr<float>(), *g = gradient.data_ptr<float>(), *m = first_moment.data_ptr<float>(),
        *v = second_moment.data_ptr<float>();
  std::vector<float*> copies;
  for (const Tensor& copy : ema) copies.push_back(copy.data_ptr<float>());
  constexpr std::int64_t kBlock = 4096;
  const std::int64_t size = parameters.numel();
  at::parallel_for(0, (size + kBlock - 1) / kBlock, 4, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin * kBlock, last = std::min(size, end * kBlock);
    std::vector<float*> own(copies);
    for (auto& copy : own) copy += first;
    kernel_table().adam(p + first, g + first, m + first, v + first, own.data(), betas.data(),
                        static_cast<long>(own.size()), last - first, terms);
  });
}

}  // namespace edmund::ops::cpu
