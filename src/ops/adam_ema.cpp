#include "edmund/ops/graph.h"
#include "edmund/ops/ops.h"
#include "fast.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/stack.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <optional>

namespace edmund::ops {
namespace {

void check(const Tensor& parameters, const std::vector<GradientPiece>& gradient, const std::vector<Tensor>& ema,
           const AdamStep& args, const LiveAdam& live) {
  TORCH_CHECK(ema.size() == args.ema_beta.size(), "adam_ema: ", ema.size(), " EMA copies, ", args.ema_beta.size(),
              " decays");
  TORCH_CHECK(live.ema_rests.empty() || live.ema_rests.size() == ema.size(), "adam_ema: ", ema.size(), " EMA copies, ",
              live.ema_rests.size(), " rests of them");
  TORCH_CHECK(args.step >= 1, "adam_ema: steps count from 1, found ", args.step);
  for (const auto& [first, values] : gradient)
    TORCH_CHECK(first >= 0 && first + values.numel() <= parameters.numel() && values.is_contiguous(),
                "adam_ema: a piece of ", values.numel(), " elements from ", first, " on does not fit ",
                parameters.numel(), " parameters");
}

/// ema + rest ← β·(ema + rest) + rate·p, rate = 1 - β; `rest` may be undefined.
void average(const Tensor& p, Tensor ema, Tensor rest, double rate) {
  if (rate > 0.5) {  // as seen from p, which it is at β = 0
    ema.copy_(p + (1.0 - rate) * (ema - p));
    if (rest.defined()) rest.zero_();
  } else if (!rest.defined()) {
    ema.add_(p - ema, rate);
  } else {
    // Knuth's sum of two numbers and its error.
    const Tensor change = rate * ((p - ema) - rest) + rest, sum = ema + change, part = sum - ema;
    rest.copy_((ema - (sum - part)) + (change - part));
    ema.copy_(sum);
  }
}

/// Of all tensors what belongs to one piece.
void reference(Tensor parameters, const Tensor& gradient, Tensor first_moment, Tensor second_moment,
               const std::vector<Tensor>& ema, const std::vector<Tensor>& rests, const AdamStep& args) {
  Tensor g = gradient;
  if (args.zero_nonfinite) g = at::nan_to_num(g, 0.0, 1e5, -1e5);
  if (args.gradient_scale != 1.0) g = g * args.gradient_scale;

  // Kingma & Ba 2015, algorithm 1; the decay as Loshchilov & Hutter 2019. No β is rounded: the
  // moments' weights would no longer add up to 1.
  first_moment.lerp_(g, 1.0 - args.beta1);
  second_moment.lerp_(g.square(), 1.0 - args.beta2);
  const auto t = static_cast<double>(args.step);
  const double correction1 = 1.0 - std::pow(args.beta1, t), correction2 = 1.0 - std::pow(args.beta2, t);
  const Tensor denominator = second_moment.sqrt().div_(std::sqrt(correction2)).add_(args.eps);
  Tensor change = (args.learning_rate / correction1) * (first_moment / denominator);
  if (args.weight_decay != 0.0) change.add_(parameters, args.learning_rate * args.weight_decay);
  parameters.sub_(change);

  for (std::size_t i = 0; i < ema.size(); ++i)
    average(parameters, ema[i], rests.empty() ? Tensor() : rests[i], 1.0 - args.ema_beta[i]);
}

/// What the gradient is multiplied by, clipping included; nothing if the step is skipped.
std::optional<double> gradient_scale(const AdamStep& args, const LiveAdam& live) {
  if (!live.norm.defined()) return args.gradient_scale;
  const auto norm = live.norm.item<double>();
  if (live.skip_nonfinite && !std::isfinite(norm)) return std::nullopt;
  return live.clip_norm > 0.0 && norm > live.clip_norm ? args.gradient_scale * (live.clip_norm / norm)
                                                       : args.gradient_scale;
}

}  // namespace

Tensor gradient_norm(const std::vector<GradientPiece>& gradient) {
  TORCH_CHECK(!gradient.empty(), "gradient_norm: no gradient");
  const at::NoGradGuard no_grad;
  if (fast(gradient.front().values)) return cpu::gradient_norm(gradient);
  std::vector<Tensor> parts;
  for (const auto& piece : gradient) parts.push_back(piece.values);
  return at::linalg_vector_norm(at::stack(at::_foreach_norm(parts)));
}

void adam_ema(Tensor& parameters, const std::vector<GradientPiece>& gradient, Tensor& first_moment,
              Tensor& second_moment, std::vector<Tensor>& ema, const AdamStep& args) {
  adam_ema(parameters, gradient, first_moment, second_moment, ema, args, {});
}

void adam_ema(Tensor& parameters, const std::vector<GradientPiece>& gradient, Tensor& first_moment,
              Tensor& second_moment, std::vector<Tensor>& ema, const AdamStep& args, const LiveAdam& live) {
  check(parameters, gradient, ema, args, live);
  const Timed timed([&] {
    const auto bytes = static_cast<double>(parameters.nbytes());
    return OperatorTime{.name = "adam + ema",
                        .bytes = bytes * (7.0 + 2.0 * static_cast<double>(ema.size() + live.ema_rests.size()))};
  });
  weights_changed();
  if (const auto* gpu = fast_cuda(parameters))
    return gpu->adam_ema(parameters, gradient, first_moment, second_moment, ema, args, live);
  const std::optional<double> scale = gradient_scale(args, live);
  if (!scale) return;
  AdamStep step = args;
  step.gradient_scale = *scale;
  if (fast(parameters)) return cpu::adam_ema(parameters, gradient, first_moment, second_moment, ema, step, live);
  TORCH_CHECK(!live.terms.defined(), "adam_ema: only the fast operators take a step's terms from a tensor");
  const at::NoGradGuard no_grad;
  for (const auto& [first, values] : gradient) {
    const auto part = [at = first, size = values.numel()](const Tensor& flat) { return flat.narrow(0, at, size); };
    std::vector<Tensor> copies, rests;
    for (const Tensor& copy : ema) copies.push_back(part(copy));
    for (const Tensor& rest : live.ema_rests) rests.push_back(part(rest));
    reference(part(parameters), values.view(-1), part(first_moment), part(second_moment), copies, rests, step);
  }
}

}  // namespace edmund::ops
