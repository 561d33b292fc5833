// group_norm_silu on the GPU, by norm.cu.
#include "glue.h"

#include <ATen/ATen.h>
#include <cmath>
#include <torch/csrc/autograd/custom_function.h>

namespace edmund::ops::cuda {
namespace {

// What a call is, beside its tensors.
struct Norm {
  std::int64_t groups = 1;
  double eps = 0.0;
  bool silu = true;
  double dropout = 0.0;
  std::uint64_t seed = 0;
  std::uint32_t layer = 0;
  Tensor samples = {};  // int64 [B] on the GPU; undefined: no dropout

  Norm(const GroupNorm& args, at::Device device)
      : groups(args.groups), eps(args.eps), silu(args.silu), layer(args.layer) {
    if (args.key == nullptr || args.dropout == 0.0) return;
    dropout = args.dropout;
    seed = args.key->seed;
    samples = args.key->positions.defined() ? args.key->positions
                                            : at::tensor(at::ArrayRef<std::int64_t>(args.key->samples)).to(device);
  }
};

struct Inputs {
  Tensor weight, bias, scale, shift;

  Inputs(const Tensor& weight_, const Tensor& bias_, const Tensor& scale_, const Tensor& shift_)
      : weight(plain(weight_)), bias(plain(bias_)), scale(plain(scale_)), shift(plain(shift_)) {}
};

NormTask task_of(const Tensor& x, const Norm& norm) {
  NormTask task{.shape = image_shape(x), .groups = norm.groups, .eps = norm.eps, .silu = norm.silu};
  if (norm.samples.defined())
    task.dropout = {.key = {.seed = norm.seed,
                            .stream = static_cast<std::uint32_t>(Stream::kDropout),
                            .draw = norm.layer,
                            .samples = norm.samples.const_data_ptr<std::int64_t>()},
                    .limit = static_cast<std::uint32_t>(std::ldexp(norm.dropout, 32)),
                    .kept = static_cast<float>(1.0 / (1.0 - norm.dropout))};
  return task;
}

Tensor partial_sums(const Tensor& x, const NormTask& task) {
  return empty_floats(x, {x.size(0), parts_of(task.shape), 2, x.size(1)});
}

Tensor forward(const Tensor& x, const Norm& norm, const Inputs& inputs, Tensor& rows) {
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

// dx, and sums over the pixels of each image: [B, 2, C] of dz and of dz·(x - mean)/deviation.
Tensor backward(const Tensor& x, const Tensor& dy, const Tensor& rows, const Norm& norm, Tensor& totals) {
  const c10::cuda::CUDAGuard guard(x.device());
  const NormTask task = task_of(x, norm);
  Tensor dx = empty_image(x, x.size(1), x.size(2), x.size(3));
  totals = empty_floats(x, {x.size(0), 2, x.size(1)});
  const Tensor terms = at::empty_like(totals), partial = partial_sums(x, task);
  C10_CUDA_CHECK(norm_backward(task, x.const_data_ptr(), dy.const_data_ptr(), rows.const_data_ptr<float>(),
                               dx.mutable_data_ptr(), totals.data_ptr<float>(), terms.data_ptr<float>(),
                               partial.data_ptr<float>(), stream_of(x)));
  return dx;
}

class Function : public torch::autograd::Function<Function> {
 public:
  using Context = torch::autograd::AutogradContext;
  using Maybe = std::optional<Tensor>;

  struct Settings : torch::CustomClassHolder {
    explicit Settings(Norm norm_) : norm(std::move(norm_)) {}
    Norm norm;
  };

  static Tensor forward(Context* ctx, const Maybe& input, const Maybe& weight, const Maybe& bias, const Maybe& scale,
                        const Maybe& shift, const Norm& norm) {
    const Tensor x = channels_last(*input);
    const Inputs inputs(*weight, *bias, scale.value_or(Tensor()), shift.value_or(Tensor()));
    ctx->saved_data["needs"] = wanted_gradients({&input, &weight, &bias, &scale, &shift});
    Tensor rows;
    Tensor y = cuda::forward(x, norm, inputs, rows);
    ctx->save_for_backward({x, rows, inputs.weight, inputs.bias, inputs.scale});
    ctx->saved_data["settings"] = c10::IValue::make_capsule(c10::make_intrusive<Settings>(norm));
    return y;
  }

  static torch::autograd::variable_list backward(Context* ctx, torch::autograd::variable_list gradients) {
    const at::NoGradGuard no_grad;
    const auto saved = ctx->get_saved_variables();
    const auto settings = c10::static_intrusive_pointer_cast<Settings>(ctx->saved_data["settings"].toCapsule());
    const Tensor &x = saved[0], &rows = saved[1], &weight = saved[2], &bias = saved[3], &scale = saved[4];
    Tensor totals;
    Tensor dx = cuda::backward(x, channels_last(gradients[0].to(x.scalar_type())), rows, settings->norm, totals);
    const Tensor sums = totals.select(1, 0), products = totals.select(1, 1);  // [B, C] each
    const std::int64_t wanted = ctx->saved_data["needs"].toInt();
    const auto needs = [&](int i) { return (wanted >> i & 1) != 0; };
    const Tensor adapt = scale.defined() ? scale + 1.0 : Tensor();
    const auto over_images = [&](const Tensor& s) { return (adapt.defined() ? s * adapt : s).sum(0); };
    return {dx,
            needs(1) ? over_images(products) : Tensor(),
            needs(2) ? over_images(sums) : Tensor(),
            needs(3) ? products * weight + sums * bias : Tensor(),
            needs(4) ? sums.clone() : Tensor(),
            {}};
  }
};

}  // namespace

Tensor group_norm_silu(const Tensor& x, const GroupNorm& args) {
  TORCH_CHECK(x.size(1) / args.groups <= kWidestGroup, "group_norm_silu: more than ", kWidestGroup,
              " channels in a group");
  const Norm norm(args, x.device());
  if (wants_gradient({&x, &args.weight, &args.bias, &args.scale, &args.shift}))
    return Function::apply(if_defined(x), if_defined(args.weight), if_defined(args.bias), if_defined(args.scale),
                           if_defined(args.shift), norm);
  Tensor rows;
  return forward(channels_last(x), norm, Inputs(args.weight, args.bias, args.scale, args.shift), rows);
}

}  // namespace edmund::ops::cuda
