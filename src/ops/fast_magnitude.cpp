// Magnitude-preserving operators on the CPU, a pass over memory each.
#include "cpu/kernels.h"
#include "fast.h"
#include "parallel.h"

#include <algorithm>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

namespace edmund::ops::cpu {
namespace {

using Context = torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Maybe = std::optional<Tensor>;

constexpr std::int64_t kNumbersOfTask = 16'384;  // fewer are not worth a thread's start

// Dense memory seen as rows of parts·C numbers.
struct Rows {
  std::int64_t C = 0, parts = 1;
  double gain = 1.0;
};

// task.x and task.y are those of the first row.
template <typename Pass>
void over_rows(const UnitRows& task, const Pass& pass) {
  const std::int64_t width = task.parts * task.C;
  parallel_for(0, task.rows, std::max<std::int64_t>(1, kNumbersOfTask / width),
               [&](std::int64_t first, std::int64_t last) {
                 UnitRows part = task;
                 part.x += first * width, part.y += first * width, part.rows = last - first;
                 pass(part, first * width);
               });
}

UnitRows task_of(const Tensor& x, const Tensor& y, const Rows& rows) {
  return {.x = x.const_data_ptr<float>(),
          .y = y.data_ptr<float>(),
          .rows = x.numel() / (rows.parts * rows.C),
          .C = rows.C,
          .parts = rows.parts,
          .gain = static_cast<float>(rows.gain)};
}

Tensor unit(const Tensor& x, const Rows& rows) {
  Tensor y = at::empty_like(x);
  over_rows(task_of(x, y, rows), [](const UnitRows& part, std::int64_t) { kernel_table().unit_rows(part); });
  return y;
}

// The memory of a gradient, in the order of that which it belongs to.
Tensor ordered_as(const Tensor& x, const Tensor& dy) {
  return x.dim() == 4 && !x.is_contiguous() ? channels_last(dy) : dy.contiguous();
}

class Unit : public torch::autograd::Function<Unit> {
 public:
  static Tensor forward(Context* ctx, const Tensor& x, const Rows& rows) {
    ctx->save_for_backward({x});
    save_value(ctx, rows);
    return unit(x, rows);
  }
  static variable_list backward(Context* ctx, variable_list gradients) {
    const at::NoGradGuard no_grad;
    const Tensor x = ctx->get_saved_variables()[0], dy = ordered_as(x, gradients[0]);
    Tensor dx = at::empty_like(x);
    const float* of_y = dy.const_data_ptr<float>();
    over_rows(task_of(x, dx, saved_value<Rows>(ctx)),
              [&](const UnitRows& part, std::int64_t at) { kernel_table().unit_rows_backward(part, of_y + at); });
    return {dx, {}};
  }
};

Tensor unit_of(const Tensor& dense, const Rows& rows) {
  return wants_gradient({&dense}) ? Unit::apply(dense, rows) : unit(dense, rows);
}

Tensor silu(const Tensor& x, const Tensor& scale) {
  const std::int64_t B = x.size(0), C = x.size(1), pixels = x.size(2) * x.size(3);
  Tensor y = empty_image(B, C, x.size(2), x.size(3));
  const float* from = x.const_data_ptr<float>();
  float* to = y.data_ptr<float>();
  PixelTasks(B, pixels).each([&](std::int64_t image, std::int64_t first, std::int64_t last) {
    const std::int64_t at = (image * pixels + first) * C;
    const float* row = scale.defined() ? scale.const_data_ptr<float>() + image * C : nullptr;
    kernel_table().unit_silu(from + at, row, to + at, last - first, C);
  });
  return y;
}

class Silu : public torch::autograd::Function<Silu> {
 public:
  static Tensor forward(Context* ctx, const Tensor& input, const Maybe& scales) {
    const Tensor x = channels_last(input), scale = plain(scales.value_or(Tensor()));
    ctx->save_for_backward({x, scale});
    return silu(x, scale);
  }
  static variable_list backward(Context* ctx, variable_list gradients) {
    const at::NoGradGuard no_grad;
    const auto saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &scale = saved[1], dy = channels_last(gradients[0]);
    const std::int64_t B = x.size(0), C = x.size(1), pixels = x.size(2) * x.size(3);
    Tensor dx = empty_image(B, C, x.size(2), x.size(3));
    const PixelTasks tasks(B, pixels);
    const bool scaled = scale.defined();
    const ImageSums of_scale(scaled ? B : 0, tasks, C);
    const float *from = x.const_data_ptr<float>(), *of_y = dy.const_data_ptr<float>();
    float* to = dx.data_ptr<float>();
    tasks.each_share([&](std::int64_t image, std::int64_t share, std::int64_t first, std::int64_t last) {
      const std::int64_t at = (image * pixels + first) * C;
      kernel_table().unit_silu_backward(from + at, scaled ? scale.const_data_ptr<float>() + image * C : nullptr,
                                        of_y + at, to + at, scaled ? of_scale.row(image, share) : nullptr, last - first,
                                        C);
    });
    return {dx, scaled ? of_scale.added() : Tensor()};
  }
};

Tensor blended(const Tensor& a, double of_a, const Tensor& b, double of_b) {
  Tensor y = at::empty_like(a);
  const float *left = a.const_data_ptr<float>(), *right = data_or_null(b);
  float* to = y.data_ptr<float>();
  parallel_for(0, a.numel(), kNumbersOfTask, [&](std::int64_t first, std::int64_t last) {
    kernel_table().blend(left + first, right != nullptr ? right + first : nullptr, static_cast<float>(of_a),
                         static_cast<float>(of_b), to + first, last - first);
  });
  return y;
}

class Blend : public torch::autograd::Function<Blend> {
 public:
  static Tensor forward(Context* ctx, const Tensor& a, const Tensor& b, double of_a, double of_b) {
    ctx->saved_data["of_a"] = of_a;
    ctx->saved_data["of_b"] = of_b;
    return blended(channels_last(a), of_a, channels_last(b), of_b);
  }
  static variable_list backward(Context* ctx, variable_list gradients) {
    const at::NoGradGuard no_grad;
    const Tensor dy = channels_last(gradients[0]);
    return {blended(dy, ctx->saved_data["of_a"].toDouble(), {}, 0.0),
            blended(dy, ctx->saved_data["of_b"].toDouble(), {}, 0.0),
            {},
            {}};
  }
};

}  // namespace

Tensor unit_pixels(const Tensor& x) { return unit_of(channels_last(x), {.C = x.size(1)}); }

Tensor unit_heads(const Tensor& qkv, std::int64_t heads) {
  return unit_of(channels_last(qkv), {.C = qkv.size(1) / (3 * heads), .parts = 3});
}

Tensor unit_filters(const Tensor& weight, double gain) {
  return unit_of(weight.contiguous(), {.C = weight.numel() / weight.size(0), .gain = gain});
}

Tensor mp_silu(const Tensor& x, const Tensor& scale) {
  if (wants_gradient({&x, &scale})) return Silu::apply(x, if_defined(scale));
  return silu(channels_last(x), plain(scale));
}

Tensor blend(const Tensor& a, double of_a, const Tensor& b, double of_b) {
  if (wants_gradient({&a, &b})) return Blend::apply(a, b, of_a, of_b);
  return blended(channels_last(a), of_a, channels_last(b), of_b);
}

}  // namespace edmund::ops::cpu
