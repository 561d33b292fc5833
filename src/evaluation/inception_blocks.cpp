#include "edmund/core/error.h"
#include "edmund/evaluation/inception.h"
#include "edmund/ops/ops.h"

#include <ATen/ATen.h>

namespace edmund {
namespace {

constexpr double kEpsilon = 1e-3;  // of batch norm

Tensor reduced(const Tensor& x) { return ops::max_pool(x, 2, 0); }

}  // namespace

InceptionLayers::InceptionLayers(const TensorFile& file, const std::vector<InceptionLayer>& layers) {
  for (const InceptionLayer& layer : layers) {
    const auto vector = [&](const std::string& part) {
      const Tensor& found = file.at(layer.name + part);
      require(found.dim() == 1 && found.size(0) == layer.out && found.is_floating_point(),
              "{}: '{}' is not Inception-v3's: {} real numbers expected", file.file, layer.name + part, layer.out);
      return found.to(at::kDouble);
    };
    const Tensor& weight = file.at(layer.name + ".conv.weight");
    require(weight.sizes() == at::IntArrayRef({layer.out, layer.in, layer.height, layer.width}) &&
                weight.is_floating_point(),
            "{}: '{}.conv.weight' is not Inception-v3's: {} x {} x {} x {} real numbers expected", file.file,
            layer.name, layer.out, layer.in, layer.height, layer.width);
    const Tensor scale = vector(".bn.weight") / (vector(".bn.running_var") + kEpsilon).sqrt();
    const Tensor bias = vector(".bn.bias") - vector(".bn.running_mean") * scale;
    const Tensor folded = weight.to(at::kDouble) * scale.view({-1, 1, 1, 1});
    require(folded.isfinite().all().item<bool>() && bias.isfinite().all().item<bool>(),
            "{}: '{}' has weights that are not finite", file.file, layer.name);
    layers_[layer.name] = {.weight = folded.to(at::kFloat).contiguous(),
                           .bias = bias.to(at::kFloat),
                           .stride = layer.stride,
                           .padded = layer.padded};
  }
}

Tensor InceptionLayers::operator()(const std::string& name, const Tensor& x) const { return convolved(name, x, true); }

Tensor InceptionLayers::averaged(const std::string& name, const Tensor& x) const {
  const Tensor y = convolved(name, x, false);
  return at::avg_pool2d(y, 3, 1, 1, false, /*count_include_pad=*/false).relu_();
}

Tensor InceptionLayers::convolved(const std::string& name, const Tensor& x, bool relu) const {
  Folded& layer = layers_.at(name);
  Tensor weight, bias;
  {
    const std::scoped_lock lock(mutex_);
    weight = layer.weight = layer.weight.to(x.device());
    bias = layer.bias = layer.bias.to(x.device());
  }
  if (layer.stride == 1) {
    ops::Conv2d args{.weight = weight, .bias = bias, .relu = relu};
    if (!layer.padded) args.padding = 0;
    return ops::conv2d(x, args);
  }
  TORCH_CHECK(!layer.padded, "Inception's layers with a stride have no padding");
  const Tensor y = at::conv2d(x, weight, bias, layer.stride);
  return relu ? y.relu_() : y;
}

std::vector<InceptionLayer> inception_block_layers(InceptionBlock block, const std::string& prefix, std::int64_t in,
                                                   std::int64_t width) {
  std::vector<InceptionLayer> out;
  const auto add = [&](const std::string& name, std::int64_t from, std::int64_t to, std::int64_t h = 1,
                       std::int64_t w = 1) {
    out.push_back({prefix + name, from, to, h, w});
  };
  const auto add_reduction = [&](const std::string& name, std::int64_t from, std::int64_t to) {
    out.push_back({prefix + name, from, to, 3, 3, 2, false});
  };
  switch (block) {
    case InceptionBlock::kA:
      add("branch1x1", in, 64);
      add("branch5x5_1", in, 48), add("branch5x5_2", 48, 64, 5, 5);
      add("branch3x3dbl_1", in, 64), add("branch3x3dbl_2", 64, 96, 3, 3), add("branch3x3dbl_3", 96, 96, 3, 3);
      add("branch_pool", in, width);
      break;
    case InceptionBlock::kB:
      add_reduction("branch3x3", in, 384);
      add("branch3x3dbl_1", in, 64), add("branch3x3dbl_2", 64, 96, 3, 3), add_reduction("branch3x3dbl_3", 96, 96);
      break;
    case InceptionBlock::kC:
      add("branch1x1", in, 192);
      add("branch7x7_1", in, width), add("branch7x7_2", width, width, 1, 7), add("branch7x7_3", width, 192, 7, 1);
      add("branch7x7dbl_1", in, width), add("branch7x7dbl_2", width, width, 7, 1);
      add("branch7x7dbl_3", width, width, 1, 7), add("branch7x7dbl_4", width, width, 7, 1);
      add("branch7x7dbl_5", width, 192, 1, 7);
      add("branch_pool", in, 192);
      break;
    case InceptionBlock::kD:
      add("branch3x3_1", in, 192), add_reduction("branch3x3_2", 192, 320);
      add("branch7x7x3_1", in, 192), add("branch7x7x3_2", 192, 192, 1, 7), add("branch7x7x3_3", 192, 192, 7, 1);
      add_reduction("branch7x7x3_4", 192, 192);
      break;
    case InceptionBlock::kE1:
    case InceptionBlock::kE2:
      add("branch1x1", in, 320);
      add("branch3x3_1", in, 384), add("branch3x3_2a", 384, 384, 1, 3), add("branch3x3_2b", 384, 384, 3, 1);
      add("branch3x3dbl_1", in, 448), add("branch3x3dbl_2", 448, 384, 3, 3);
      add("branch3x3dbl_3a", 384, 384, 1, 3), add("branch3x3dbl_3b", 384, 384, 3, 1);
      add("branch_pool", in, 192);
      break;
  }
  return out;
}

Tensor inception_block(InceptionBlock block, const InceptionLayers& layers, const std::string& prefix,
                       const Tensor& x) {
  const auto f = [&](const char* name, const Tensor& in) { return layers(prefix + name, in); };
  switch (block) {
    case InceptionBlock::kA:
      return at::cat({f("branch1x1", x), f("branch5x5_2", f("branch5x5_1", x)),
                      f("branch3x3dbl_3", f("branch3x3dbl_2", f("branch3x3dbl_1", x))),
                      layers.averaged(prefix + "branch_pool", x)},
                     1);
    case InceptionBlock::kB:
      return at::cat({f("branch3x3", x), f("branch3x3dbl_3", f("branch3x3dbl_2", f("branch3x3dbl_1", x))), reduced(x)},
                     1);
    case InceptionBlock::kC: {
      const Tensor twice = f("branch7x7dbl_3", f("branch7x7dbl_2", f("branch7x7dbl_1", x)));
      return at::cat({f("branch1x1", x), f("branch7x7_3", f("branch7x7_2", f("branch7x7_1", x))),
                      f("branch7x7dbl_5", f("branch7x7dbl_4", twice)), layers.averaged(prefix + "branch_pool", x)},
                     1);
    }
    case InceptionBlock::kD:
      return at::cat({f("branch3x3_2", f("branch3x3_1", x)),
                      f("branch7x7x3_4", f("branch7x7x3_3", f("branch7x7x3_2", f("branch7x7x3_1", x)))), reduced(x)},
                     1);
    case InceptionBlock::kE1:
    case InceptionBlock::kE2: {
      const Tensor once = f("branch3x3_1", x), twice = f("branch3x3dbl_2", f("branch3x3dbl_1", x));
      const Tensor pooled = block == InceptionBlock::kE1 ? layers.averaged(prefix + "branch_pool", x)
                                                         : f("branch_pool", ops::max_pool(x, 1, 1));
      return at::cat({f("branch1x1", x), f("branch3x3_2a", once), f("branch3x3_2b", once), f("branch3x3dbl_3a", twice),
                      f("branch3x3dbl_3b", twice), pooled},
                     1);
    }
  }
  TORCH_CHECK(false, "unknown block");
}

}  // namespace edmund
