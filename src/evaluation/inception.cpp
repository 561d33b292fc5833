#include "edmund/evaluation/inception.h"

#include "edmund/core/error.h"
#include "edmund/ops/ops.h"

#include <array>
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace edmund {
namespace {

constexpr std::int64_t kSide = 299, kFeatures = 2048, kClasses = 1008;

struct Mixed {
  const char* name;
  InceptionBlock block;
  std::int64_t in, width;
};
constexpr std::array<Mixed, 11> kMixed = {{{"Mixed_5b.", InceptionBlock::kA, 192, 32},
                                           {"Mixed_5c.", InceptionBlock::kA, 256, 64},
                                           {"Mixed_5d.", InceptionBlock::kA, 288, 64},
                                           {"Mixed_6a.", InceptionBlock::kB, 288, 0},
                                           {"Mixed_6b.", InceptionBlock::kC, 768, 128},
                                           {"Mixed_6c.", InceptionBlock::kC, 768, 160},
                                           {"Mixed_6d.", InceptionBlock::kC, 768, 160},
                                           {"Mixed_6e.", InceptionBlock::kC, 768, 192},
                                           {"Mixed_7a.", InceptionBlock::kD, 768, 0},
                                           {"Mixed_7b.", InceptionBlock::kE1, 1280, 0},
                                           {"Mixed_7c.", InceptionBlock::kE2, 2048, 0}}};
constexpr InceptionBlock kSecondReduction = InceptionBlock::kD;

}  // namespace

std::vector<InceptionLayer> inception_layers() {
  std::vector<InceptionLayer> layers = {{"Conv2d_1a_3x3", 3, 32, 3, 3, 2, false},
                                        {"Conv2d_2a_3x3", 32, 32, 3, 3, 1, false},
                                        {"Conv2d_2b_3x3", 32, 64, 3, 3},
                                        {"Conv2d_3b_1x1", 64, 80},
                                        {"Conv2d_4a_3x3", 80, 192, 3, 3, 1, false}};
  for (const auto& [name, block, in, width] : kMixed)
    for (InceptionLayer& layer : inception_block_layers(block, name, in, width)) layers.push_back(std::move(layer));
  return layers;
}

InceptionV3::InceptionV3(const TensorFile& file) : layers_(file, inception_layers()) {
  const Tensor& output = file.at("fc.weight");
  require(output.sizes() == at::IntArrayRef({kClasses, kFeatures}) && output.is_floating_point(),
          "{}: 'fc.weight' is not that of FID's Inception-v3: {} x {} real numbers expected (torchvision's network has "
          "1000 classes and gives other distances)",
          file.file, kClasses, kFeatures);
  output_ = output.to(at::kFloat);
}

InceptionV3::Taps InceptionV3::taps(const Tensor& images) const {
  TORCH_CHECK(images.dim() == 4 && images.size(1) == 3 && images.size(2) == kSide && images.size(3) == kSide,
              "Inception-v3 takes [B, 3, 299, 299], found ", images.sizes());
  const at::NoGradGuard no_gradients;
  Taps out;
  Tensor x = images.to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
  for (const char* name : {"Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3"}) x = layers_(name, x);
  out.block64 = ops::max_pool(x, 2, 0);
  out.block192 = ops::max_pool(layers_("Conv2d_4a_3x3", layers_("Conv2d_3b_1x1", out.block64)), 2, 0);
  x = out.block192;
  for (const auto& mixed : kMixed) {
    if (mixed.block == kSecondReduction) out.block768 = x;
    x = inception_block(mixed.block, layers_, mixed.name, x);
  }
  out.pooled = x.mean({2, 3});  // [B, 2048]
  return out;
}

Tensor InceptionV3::logits(const Tensor& features) const {
  return features.to(at::kFloat).matmul(output_.t());  // [B, 1008]
}

}  // namespace edmund
