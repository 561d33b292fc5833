#pragma once

#include "edmund/core/tensor.h"
#include "edmund/io/tensor_file.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace edmund {

/// A convolution of Inception with its batch norm and ReLU; zero padding of half the kernel, or
/// none.
struct InceptionLayer {
  std::string name;
  std::int64_t in = 0, out = 0, height = 1, width = 1;
  std::int64_t stride = 1;
  bool padded = true;
};

/// The layers of a network by name, batch norm (ε = 1e-3) folded into the convolutions in double
/// precision; float32.
class InceptionLayers {
 public:
  /// Takes NAME.conv.weight and NAME.bn.{weight,bias,running_mean,running_var} of each layer.
  /// Throws Error naming the file for a tensor that is missing or of another shape.
  InceptionLayers(const TensorFile& file, const std::vector<InceptionLayer>& layers);
  /// ReLU(bn(conv(x))): [B, in, H, W] → [B, out, H', W'].
  Tensor operator()(const std::string& name, const Tensor& x) const;
  /// The layer of a pool branch, 1×1: ReLU(bn(conv(x's means of 3×3 pixels, what is beyond the
  /// image left out))). Both are linear and the layer keeps constants, so that the mean may be
  /// taken of its result, which has fewer channels.
  Tensor averaged(const std::string& name, const Tensor& x) const;

 private:
  Tensor convolved(const std::string& name, const Tensor& x, bool relu) const;
  struct Folded {
    Tensor weight, bias;
    std::int64_t stride = 1;
    bool padded = true;
  };
  mutable std::mutex mutex_;  // layers move to the device of their first images
  mutable std::map<std::string, Folded> layers_;
};

/// The blocks of Szegedy et al. 2016 (figs. 5-7 and 10) as the TensorFlow graph of 2015-12-05 has
/// them, which FID is defined by: average pools leave the padding out of the mean (A, C, E1) and
/// the last block pools by maximum (E2). B and D halve the image.
enum class InceptionBlock { kA, kB, kC, kD, kE1, kE2 };
/// Layers of one block whose names start with `prefix`. `width`: channels after the pool (A) or
/// within the 7x7 branches (C).
std::vector<InceptionLayer> inception_block_layers(InceptionBlock block, const std::string& prefix, std::int64_t in,
                                                   std::int64_t width = 0);
/// What a block makes of x.
Tensor inception_block(InceptionBlock block, const InceptionLayers& layers, const std::string& prefix, const Tensor& x);

/// Inception-v3 of the 2015 TensorFlow graph, the network that FID, KID and the inception score are
/// defined by; not torchvision's.
class InceptionV3 {
 public:
  /// Tensors are named as in pytorch-fid's checkpoint (Conv2d_1a_3x3.conv.weight … fc.weight);
  /// scripts/convert_inception makes such a file.
  explicit InceptionV3(const TensorFile& file);

  /// What the network holds after its stem's two pools, before its second reduction, and in the
  /// end.
  struct Taps {
    Tensor block64;   // [B, 64, 73, 73]
    Tensor block192;  // [B, 192, 35, 35]
    Tensor block768;  // [B, 768, 17, 17]
    Tensor pooled;    // [B, 2048]: the features of FID
  };
  /// x float32 [B, 3, 299, 299], about [-1, 1].
  Taps taps(const Tensor& x) const;
  Tensor features(const Tensor& x) const { return taps(x).pooled; }
  /// [B, 2048] → [B, 1008] without biases, as the inception score takes them (Salimans et al. 2016;
  /// TensorFlow's graph has none there).
  Tensor logits(const Tensor& features) const;

 private:
  InceptionLayers layers_;
  Tensor output_;  // [1008, 2048]
};

/// All 94 convolutions in the order of the graph.
std::vector<InceptionLayer> inception_layers();

}  // namespace edmund
