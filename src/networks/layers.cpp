#include "edmund/networks/layers.h"

#include "edmund/core/error.h"
#include "edmund/ops/random.h"

#include <algorithm>
#include <array>
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <utility>

namespace edmund {
namespace {

Tensor drawn(WeightSource& source, Draw draw, at::IntArrayRef shape, double fan_in, double fan_out) {
  switch (draw) {
    case Draw::kXavierUniform: return source.uniform(shape) * std::sqrt(6.0 / (fan_in + fan_out));
    case Draw::kXavierNormal: return source.normal(shape) * std::sqrt(2.0 / (fan_in + fan_out));
    case Draw::kKaimingUniform: return source.uniform(shape) * std::sqrt(3.0 / fan_in);
    case Draw::kKaimingNormal: break;
  }
  return source.normal(shape) * std::sqrt(1.0 / fan_in);
}

// Weight [out, in, taps…] and its bias, which has the same fans.
void draw_layer(WeightSource& source, const Init& init, Tensor& weight, Tensor& bias) {
  const at::NoGradGuard no_grad;
  const auto fan_in = static_cast<double>(weight.numel() / weight.size(0)),
             fan_out = static_cast<double>(weight.numel() / weight.size(1));
  weight.copy_(drawn(source, init.draw, weight.sizes(), fan_in, fan_out) * init.weight);
  if (bias.defined()) bias.copy_(drawn(source, init.draw, bias.sizes(), fan_in, fan_out) * init.bias);
}

}  // namespace

Tensor WeightSource::uniform(at::IntArrayRef shape) {
  return ops::uniform(seed_, Stream::kWeights, std::array{parameter_++}, 0, shape, at::kDouble, at::kCPU)[0] * 2 - 1;
}

Tensor WeightSource::normal(at::IntArrayRef shape) {
  return ops::normal(seed_, Stream::kWeights, std::array{parameter_++}, 0, shape, at::kDouble, at::kCPU)[0];
}

void initialize_layers(torch::nn::Module& module, std::uint64_t seed) {
  WeightSource source(seed);
  for (const auto& part : module.modules(/*include_self=*/false))
    if (auto* layer = dynamic_cast<Layer*>(part.get())) layer->initialize(source);
}

void Layer::keep_change() {
  const at::NoGradGuard no_grad;
  if (change_) adaptable().add_(change_());
  change_ = nullptr;
}

Linear::Linear(std::int64_t in, std::int64_t out, Init init, bool bias) : init_(init) {
  weight_ = register_parameter("weight", at::zeros({out, in}));
  if (bias) bias_ = register_parameter("bias", at::zeros({out}));
}

Tensor Linear::forward(const Tensor& x) const { return ops::linear(x, changed(weight_), bias_); }

void Linear::initialize(WeightSource& source) { draw_layer(source, init_, weight_, bias_); }

Conv2d::Conv2d(Config config) : config_(std::move(config)) {
  const auto& c = config_;
  TORCH_CHECK(!(c.up && c.down) && (c.kernel == 0 || c.kernel % 2 == 1), "Conv2d: kernel ", c.kernel, ", up ", c.up,
              ", down ", c.down);
  TORCH_CHECK(c.kernel > 0 || c.in == c.out, "Conv2d without a kernel keeps its channels");
  if (c.kernel > 0) {
    weight_ = register_parameter("weight", at::zeros({c.out, c.in, c.kernel, c.kernel}));
    if (c.bias) bias_ = register_parameter("bias", at::zeros({c.out}));
  }
  if (c.up || c.down) filter_ = register_buffer("resample_filter", ops::resample_filter(c.resample_filter));
}

Tensor Conv2d::forward(const Tensor& x, const Epilogue& epilogue) const {
  const auto& c = config_;
  const auto direction = c.up ? ops::Resample::kUp : ops::Resample::kDown;
  const bool resamples = c.up || c.down;
  if (c.kernel == 0) return resamples ? ops::resample(x, direction, c.resample_filter) : x;

  const auto filter_pad = (static_cast<std::int64_t>(c.resample_filter.size()) - 1) / 2, conv_pad = c.kernel / 2;
  ops::Conv2d args{.weight = changed(weight_),
                   .bias = bias_,
                   .per_sample = epilogue.per_sample,
                   .residual = epilogue.residual,
                   .scale = epilogue.scale,
                   .inner = epilogue.inner};
  if (!resamples) return ops::conv2d(x, args);
  if (!c.fused_resample) return ops::conv2d(ops::resample(x, direction, c.resample_filter), args);
  if (c.up) {
    args.padding = std::max<std::int64_t>(conv_pad - filter_pad, 0);
    return ops::conv2d(ops::resample(x, direction, c.resample_filter, std::max<std::int64_t>(filter_pad - conv_pad, 0)),
                       args);
  }
  Tensor y = ops::conv2d(x, {.weight = args.weight, .padding = conv_pad + filter_pad});
  y = ops::resample(y, direction, c.resample_filter, 0);
  if (bias_.defined()) y = y + bias_.reshape({1, -1, 1, 1});
  if (epilogue.per_sample.defined()) y = y + epilogue.per_sample.unsqueeze(2).unsqueeze(3);
  if (epilogue.residual.defined()) y = y + epilogue.residual;
  return y * epilogue.scale;
}

void Conv2d::initialize(WeightSource& source) {
  if (weight_.defined()) draw_layer(source, config_.init, weight_, bias_);
}

Tensor activated(const Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::kGelu: return at::gelu(x);
    case Activation::kMish: return at::mish(x);
    case Activation::kRelu: return at::relu(x);
    case Activation::kSilu: break;
  }
  return at::silu(x);
}

GroupNorm::GroupNorm(std::int64_t channels, double eps, std::int64_t groups)
    : groups_(groups > 0 ? groups : GroupNorm::groups(channels)), eps_(eps) {
  TORCH_CHECK(channels % groups_ == 0, "GroupNorm: ", channels, " channels do not split into ", groups_, " groups");
  weight_ = register_parameter("weight", at::ones({channels}));
  bias_ = register_parameter("bias", at::zeros({channels}));
}

std::int64_t GroupNorm::groups(std::int64_t channels) {
  const std::int64_t groups = std::min<std::int64_t>(32, channels / 4);
  require(groups > 0 && channels % groups == 0, "a layer of {} channels does not split into {} equal groups", channels,
          std::max<std::int64_t>(groups, 1));
  return groups;
}

Tensor GroupNorm::forward(const Tensor& x, ops::GroupNorm args) const {
  args.groups = groups_;
  args.eps = eps_;
  args.weight = weight_;
  args.bias = bias_;
  return ops::group_norm_silu(x, args);
}

Tensor GroupNorm::forward(const Tensor& x, ops::GroupNorm args, Activation activation) const {
  if (activation == Activation::kSilu) return forward(x, args);
  // What ReLU lets through may be dropped before or after it.
  TORCH_CHECK(args.dropout == 0.0 || activation == Activation::kRelu, "GroupNorm: dropout after SiLU or ReLU only");
  args.silu = args.inner = false;
  return activated(forward(x, args), activation);
}

void GroupNorm::initialize(WeightSource&) {
  const at::NoGradGuard no_grad;
  weight_.fill_(1.0);
  bias_.zero_();
}

}  // namespace edmund
