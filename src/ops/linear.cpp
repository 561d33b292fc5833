#include "autograd.h"
#include "cpu/cache_budget.h"
#include "cpu/kernels.h"
#include "edmund/core/format.h"
#include "fast_conv.h"
#include "parallel.h"
#include "share_sums.h"

#include <algorithm>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/zeros.h>

namespace edmund::ops {
namespace {

constexpr std::int64_t kFewRows = 32;            // up to so many, threads share the outputs
constexpr std::int64_t kWeightsOfTask = 65'536;  // fewer are not worth a thread's start

OperatorTime described(std::string_view name, const Tensor& x, const Tensor& weight, double products) {
  const auto B = static_cast<double>(x.size(0)), in = static_cast<double>(x.size(1)),
             out = static_cast<double>(weight.size(0));
  return {.name = format("{} {}x{} -> {}", name, x.size(0), x.size(1), weight.size(0)),
          .flops = 2.0 * products * B * in * out,
          .bytes = static_cast<double>(x.element_size()) * (B * (in + out) + in * out)};
}

bool few(const Tensor& x) { return x.size(0) <= kFewRows; }

// x [N, …] times the weight or its transpose, [N, width]. Whatever N, and however it is shared, a
// row's sums are made in one order: what is drawn for an image does not depend on the others of its
// batch.
Tensor product(const Tensor& x, const Tensor& weight, bool backward, const Tensor& bias, cpu::Multiply multiply,
               cpu::Caching caching) {
  const Tensor rows = x.contiguous(),
               packed = packed_weight(weight, {cpu::Layout::kMatrix, backward, multiply}, caching);
  const std::int64_t N = x.size(0), I = x.size(1), width = weight.size(backward ? 1 : 0);
  Tensor y = at::empty({N, width}, at::kFloat);
  if (!few(x) || multiply == cpu::Multiply::kBfloat16) {
    cpu::matrix_into(cpu::as_image(y), cpu::as_image(rows), packed,
                     {.add = bias.defined() ? bias.unsqueeze(0) : Tensor()}, multiply);
    return y;
  }
  const auto& table = cpu::kernel_table();
  const std::int64_t panel = table.panel, panels = (width + panel - 1) / panel;
  const cpu::ConstMatrix from{rows.const_data_ptr<float>(), I};
  const float *weights = packed.const_data_ptr<float>(), *add = cpu::data_or_null(bias);
  float* to = y.data_ptr<float>();
  const std::int64_t grain = std::max<std::int64_t>(1, kWeightsOfTask / (I * panel));
  parallel_for(0, panels, grain, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin * panel, last = std::min(end * panel, width);
    table.gemm(from, {.m = N, .n = last - first, .k = I}, weights + first * I, cpu::cache_budget().gemm_rows,
               {to + first, width}, {.add = add != nullptr ? add + first : nullptr});
  });
  return y;
}

// product() with gradients. Those of few rows are products of rows of x and of the weight as they
// lie, where I is a multiple of the panel.
class Function : public torch::autograd::Function<Function> {
 public:
  using Maybe = std::optional<Tensor>;

  static Tensor forward(torch::autograd::AutogradContext* ctx, const Maybe& input, const Maybe& weights,
                        const Maybe& bias, cpu::Multiply multiply) {
    const Tensor x = input->contiguous(), weight = weights->contiguous();
    ctx->save_for_backward({x, weight});
    ctx->saved_data["grads"] = wanted_gradients({&input, &weights, &bias});
    ctx->saved_data["multiply"] = static_cast<std::int64_t>(multiply);
    return product(x, weight, false, bias.value_or(Tensor()), multiply, cpu::Caching::kOff);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list gradients) {
    const at::NoGradGuard no_grad;
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], dy = gradients[0].contiguous();
    const InputGrads grads(ctx->saved_data["grads"].toInt());
    const Timed timed([&] { return described("linear backward", x, weight, 2.0); });
    const auto multiply = static_cast<cpu::Multiply>(ctx->saved_data["multiply"].toInt());
    if (few(x) && multiply == cpu::Multiply::kFloat32 && x.size(1) % cpu::kernel_table().panel == 0)
      return few_backward(x, weight, dy, grads);
    const Tensor image = cpu::as_image(x), of_image = cpu::as_image(dy);
    Tensor dx, dw, db;
    if (grads(0)) dx = product(dy, weight, true, {}, multiply, cpu::Caching::kOff);
    if (grads(1)) dw = cpu::matrix_weight_gradient(image, of_image, 1.0F, multiply).view(weight.sizes());
    if (grads(2)) db = cpu::pixel_sums(of_image, 1.0F, nullptr)[0];
    return {dx, dw, db, Tensor()};
  }

 private:
  static torch::autograd::variable_list few_backward(const Tensor& x, const Tensor& weight, const Tensor& dy,
                                                     const InputGrads& grads) {
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
      db = at::zeros({O}, at::kFloat);
      add_rows(db.data_ptr<float>(), of_dy, B, O, O);
    }
    return {dx, dw, db, Tensor()};
  }
};

Tensor of_rows(const Tensor& x, const Tensor& weight, const Tensor& bias, cpu::Multiply multiply) {
  const Timed timed([&] { return described("linear", x, weight, 1.0); });
  if (fast(x) && weight.scalar_type() == at::kFloat && x.size(1) > 0 && weight.size(0) > 0 &&
      (!bias.defined() || bias.is_contiguous())) {
    if (wants_gradient({&x, &weight, &bias}))
      return Function::apply(if_defined(x), if_defined(weight), if_defined(bias), multiply);
    return product(x, weight, false, bias, multiply, cpu::Caching::kOn);
  }
  return bias.defined() ? at::linear(x, weight, bias) : at::linear(x, weight);
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  TORCH_CHECK((x.dim() == 2 || x.dim() == 3) && x.size(-1) == weight.size(1), "linear: x ", x.sizes(),
              " does not fit weight ", weight.sizes());
  if (x.dim() == 2) return of_rows(x, weight, bias, cpu::Multiply::kFloat32);
  const std::int64_t B = x.size(0), L = x.size(1);
  return of_rows(x.reshape({B * L, x.size(2)}), weight, bias, cpu::chosen_multiply()).reshape({B, L, weight.size(0)});
}

}  // namespace edmund::ops
