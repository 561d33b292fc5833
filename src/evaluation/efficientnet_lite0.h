#pragma once

#include "edmund/core/tensor.h"
#include "edmund/io/tensor_file.h"
#include "inverted_residual.h"

#include <cstdint>
#include <string>
#include <vector>

namespace edmund {

/// One convolution of the network: k x k, stride, channels, and whether ReLU6 follows.
struct LiteLayer {
  std::string name;
  std::int64_t kernel = 1, stride = 1, in = 0, out = 0, groups = 1;
  bool relu6 = true;
  bool adds_input = false;  // of the block that it ends
};

/// EfficientNet-Lite0 without its classifier: 1,280 features of a 224 x 224 image.
class EfficientNetLite0 {
 public:
  /// Throws Error naming the file for a tensor that is missing or of another shape.
  explicit EfficientNetLite0(const TensorFile& file);
  /// images uint8 [B, 1 or 3, H, W] → float32 [B, 1280].
  Tensor features(const Tensor& images) const;

 private:
  void add(const LiteLayer& layer, const Tensor& weight, const Tensor& bias);
  Tensor stem_, stem_bias_, head_, head_bias_;  // head [320, 1280]
  std::vector<InvertedResidual> blocks_;
};

/// All 49 layers in order.
std::vector<LiteLayer> lite0_layers();

}  // namespace edmund
