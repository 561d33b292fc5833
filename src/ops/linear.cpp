#include "autograd.h"
#include "cpu/kernels.h"
#include "edmund/core/format.h"
#include "fast.h"
#include "parallel.h"

#include <algorithm>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>

namespace edmund::ops {
namespace {

constexpr std::int64_t kFewRows = 32;            // beyond them a matrix product is the faster way
constexpr std::int64_t kWeightsOfTask = 65'536;  // fewer are not worth a thread's start

Tensor few_rows(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const std::int64_t B = x.size(0), I = x.size(1), O = weight.size(0);
  Tensor y = at::empty({B, O}, at::kFloat);
  const Tensor rows = x.contiguous(), w = weight.contiguous();
  const cpu::LinearTask task{.x = rows.const_data_ptr<float>(),
                             .w = w.const_data_ptr<float>(),
                             .bias = cpu::data_or_null(bias),
                             .y = y.data_ptr<float>(),
                             .B = B,
                             .I = I,
                             .O = O};
  parallel_for(0, O, std::max<std::int64_t>(4, kWeightsOfTask / I), [&](std::int64_t first, std::int64_t last) {
    cpu::kernel_table().dot_rows(task, {first, last});
  });
  return y;
}

OperatorTime described(std::string_view name, const Tensor& x, const Tensor& weight, double products) {
  const auto B = static_cast<double>(x.size(0)), in = static_cast<double>(x.size(1)),
             out = static_cast<double>(weight.size(0));
  return {.name = format("{} {}x{} -> {}", name, x.size(0), x.size(1), weight.size(0)),
          .flops = 2.0 * products * B * in * out,
          .bytes = static_cast<double>(x.element_size()) * (B * (in + out) + in * out)};
}

// few_rows() with gradients, whose products are made of rows of x and of the weight as they lie; I
// is a multiple of the panel.
class Function : public torch::autograd::Function<Function> {
 public:
  using Maybe = std::optional<Tensor>;

  static Tensor forward(torch::autograd::AutogradContext* ctx, const Maybe& input, const Maybe& weights,
                        const Maybe& bias) {
    const Tensor x = input->contiguous(), weight = weights->contiguous();
    ctx->save_for_backward({x, weight});
    ctx->saved_data["grads"] = wanted_gradients({&input, &weights, &bias});
    return few_rows(x, weight, bias.value_or(Tensor()));
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list gradients) {
    const at::NoGradGuard no_grad;
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], dy = gradients[0].contiguous();
    const InputGrads grads(ctx->saved_data["grads"].toInt());
    const Timed timed([&] { return described("linear backward", x, weight, 2.0); });
    const std::int64_t B = x.size(0), I = x.size(1), O = weight.size(0);
    const auto& table = cpu::kernel_table();
    const float *of_dy = dy.const_data_ptr<float>(), *of_x = x.const_data_ptr<float>();
    Tensor dx, dw, db;
    if (grads(0)) {
      dx = at::empty({B, I}, at::kFloat);
      const Tensor turned = dy.t().contiguous();  // [O, B]
      table.gemm_transposed({turned.const_data_ptr<float>(), B}, {weight.const_data_ptr<float>(), I},
                            {.m = B, .n = I, .k = O}, {dx.data_ptr<float>(), I}, false);
    }
    if (grads(1)) {
      dw = at::empty({O, I}, at::kFloat);
      float* to = dw.data_ptr<float>();
      parallel_for(0, O, std::max<std::int64_t>(12, kWeightsOfTask / I), [&](std::int64_t first, std::int64_t last) {
        table.gemm_transposed({of_dy + first, O}, {of_x, I}, {.m = last - first, .n = I, .k = B}, {to + first * I, I},
                              false);
      });
    }
    if (grads(2)) {
      db = at::empty({O}, at::kFloat);
      float* to = db.data_ptr<float>();
      std::copy_n(of_dy, O, to);
      for (std::int64_t i = O; i < B * O; ++i) to[i % O] += of_dy[i];
    }
    return {dx, dw, db};
  }
};

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  TORCH_CHECK(x.dim() == 2 && x.size(1) == weight.size(1), "linear: x ", x.sizes(), " does not fit weight ",
              weight.sizes());
  const Timed timed([&] { return described("linear", x, weight, 1.0); });
  if (fast(x) && x.size(0) <= kFewRows && weight.scalar_type() == at::kFloat && x.size(1) > 0 &&
      (!bias.defined() || bias.is_contiguous())) {
    if (!wants_gradient({&x, &weight, &bias})) return few_rows(x, weight, bias);
    if (x.size(1) % cpu::kernel_table().panel == 0)
      return Function::apply(if_defined(x), if_defined(weight), if_defined(bias));
  }
  return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
}

}  // namespace edmund::ops
