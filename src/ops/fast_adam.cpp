#include "cpu/kernels.h"
#include "edmund/ops/graph.h"
#include "fast.h"
#include "parallel.h"

#include <algorithm>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/full.h>
#include <cmath>
#include <iterator>
#include <numeric>

namespace edmund::ops::cpu {
namespace {

/// Consecutive elements of one piece: what a thread does at a time.
struct Run {
  std::int64_t first, size;  // in flat memory
  const float* gradient;
};

std::vector<Run> runs_of(const std::vector<GradientPiece>& gradient) {
  constexpr std::int64_t kRun = 16384;
  std::vector<Run> runs;
  for (const auto& [first, values] : gradient) {
    const auto* data = values.const_data_ptr<float>();
    for (std::int64_t at = 0; at < values.numel(); at += kRun)
      runs.push_back({first + at, std::min(kRun, values.numel() - at), data + at});
  }
  return runs;
}

}  // namespace

Tensor gradient_norm(const std::vector<GradientPiece>& gradient) {
  const std::vector<Run> runs = runs_of(gradient);
  std::vector<double> sums(runs.size());
  parallel_for(0, static_cast<std::int64_t>(runs.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
      sums[i] = kernel_table().sum_of_squares(runs[i].gradient, runs[i].size);
  });
  return at::full({}, std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0)), gradient.front().values.options());
}

void adam_ema(Tensor& parameters, const std::vector<GradientPiece>& gradient, Tensor& first_moment,
              Tensor& second_moment, std::vector<Tensor>& ema, const AdamStep& args, const LiveAdam& live) {
  const at::NoGradGuard no_grad;
  std::vector<float> changing = adam_terms(args);
  if (live.terms.defined()) {
    const float scale = changing[3];
    std::copy_n(live.terms.const_data_ptr<float>(), changing.size(), changing.begin());
    changing[3] *= scale;
  }
  const AdamTerms terms{.one_minus_beta1 = static_cast<float>(1.0 - args.beta1),
                        .one_minus_beta2 = static_cast<float>(1.0 - args.beta2),
                        .eps = static_cast<float>(args.eps),
                        .decay = changing[0],
                        .inverse_root_correction2 = changing[1],
                        .step_size = changing[2],
                        .gradient_scale = changing[3],
                        .zero_nonfinite = args.zero_nonfinite};
  float *p = parameters.data_ptr<float>(), *m = first_moment.data_ptr<float>(), *v = second_moment.data_ptr<float>();
  std::vector<float*> copies, rests(ema.size());
  for (const Tensor& copy : ema) copies.push_back(copy.data_ptr<float>());
  for (std::size_t i = 0; i < live.ema_rests.size(); ++i) rests[i] = live.ema_rests[i].data_ptr<float>();
  const std::vector<Run> runs = runs_of(gradient);
  parallel_for(0, static_cast<std::int64_t>(runs.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float*> own(copies.size()), own_rests(copies.size());
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const auto& [first, size, g] = runs[i];
      for (std::size_t copy = 0; copy < own.size(); ++copy) {
        own[copy] = copies[copy] + first;
        own_rests[copy] = rests[copy] == nullptr ? nullptr : rests[copy] + first;
      }
      kernel_table().adam({.p = p + first,
                           .m = m + first,
                           .v = v + first,
                           .g = g,
                           .ema = own.data(),
                           .ema_rest = own_rests.data(),
                           .ema_rate = changing.data() + 4,
                           .copies = std::ssize(own),
                           .size = size},
                          terms);
    }
  });
}

}  // namespace edmund::ops::cpu
