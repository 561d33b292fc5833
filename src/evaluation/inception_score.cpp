#include "edmund/evaluation/inception_score.h"

#include "edmund/core/error.h"

#include <ATen/ATen.h>
#include <vector>

namespace edmund {

SplitScore inception_score(const Tensor& logits, std::int64_t splits) {
  TORCH_CHECK(logits.dim() == 2, "logits must be [N, classes], found ", logits.sizes());
  const std::int64_t count = logits.size(0);
  require(splits >= 1 && splits <= count, "inception score: {} splits of {} images", splits, count);
  const Tensor log_p = logits.detach().to(at::kCPU, at::kDouble).log_softmax(1);
  require(log_p.isfinite().all().item<bool>(), "inception score: some logit is NaN or infinite");
  std::vector<double> scores;
  for (std::int64_t i = 0; i < splits; ++i) {
    const std::int64_t begin = i * count / splits, end = (i + 1) * count / splits;
    const Tensor part = log_p.slice(0, begin, end), p = part.exp();
    const Tensor terms = p * (part - p.mean(0, true).log());
    // KL(p(y|x) ‖ p(y)), [n]
    const Tensor divergence = at::where(p > 0, terms, at::zeros_like(p)).sum(1);
    scores.push_back(divergence.mean().exp().item<double>());
  }
  const Tensor all = at::tensor(scores, at::kDouble);
  return {.mean = all.mean().item<double>(), .std = all.std(/*unbiased=*/false).item<double>()};
}

}  // namespace edmund
