#pragma once

#include "edmund/networks/described.h"
#include "edmund/networks/network.h"
#include "edmund/networks/noise_map.h"
#include "edmund/networks/unet_block.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edmund {

/// U-Net described by a list of its blocks, as huggingface/diffusers' UNet2DModel is. Each block is
/// a number of residual blocks (UNetBlock) at one resolution, then the way to the next one. The
/// results of all layers on the way down are joined to the layers on the way up, last to first.
class BlockUNet : public Network, public Described {
 public:
  /// Which residual blocks of a block are followed by attention.
  enum class Attention { kNone, kAll, kFirst, kLast };
  /// How a block changes the resolution at its end: by a convolution (stride 2 on the way down,
  /// after doubling on the way up) or within a further residual block.
  enum class Resample { kNone, kConv, kResidual };
  /// Where zeros lie around the image for a convolution of stride 2.
  enum class Padding { kBoth, kEnd };

  struct Block {
    std::int64_t channels = 0, layers = 2;
    Attention attention = Attention::kNone;
    std::int64_t heads = 1;
    std::int64_t groups = 0;                       // of the norms; 0: min(32, C/4)
    std::int64_t groups_in = 0;                    // of a layer's first norm; 0: groups
    std::optional<std::int64_t> groups_attention;  // 0: no norm before attention; missing: groups
    // multiplies the sum after each residual connection
    double scale = 1.0;
    Resample resample = Resample::kNone;
    Padding padding = Padding::kBoth;     // of a convolution down
    std::vector<double> filter = {1, 1};  // of a residual block that resamples
    // The image itself goes beside the blocks (Karras et al. 2020, "skip"): on the way down,
    // halved, it is added after resampling; on the way up each resolution adds its own image.
    bool image = false;
    bool operator==(const Block&) const = default;
  };

  struct Config {
    ImageShape image;
    std::int64_t out_channels = 3;
    std::int64_t num_classes = 0;
    std::int64_t embedding = 512;  // width of what all blocks see
    NoiseMap::Config noise;
    ClassMap::Kind classes = ClassMap::Kind::kTable;
    Activation activation = Activation::kSilu;
    bool adaptive_scale = false;  // the embedding scales and shifts; else it is added
    std::int64_t groups = 0;      // of the last norm
    double eps = 1e-5, dropout = 0.0;
    double input_scale = 1.0, input_shift = 0.0;
    std::vector<Block> down, up;  // in the order of evaluation
    Block mid{.layers = 0};       // as wide as the last block down
  };
  explicit BlockUNet(Config config);

  /// Why such a network cannot be built: the option to blame and the reason.
  struct Problem {
    std::string option, reason;
  };
  static std::optional<Problem> problem(const Config& config);
  /// The same network, every setting that changes nothing at its default, every default of another
  /// setting written out: equal if and only if the networks are.
  static Config canonical(Config config);
  const Config& config() const { return config_; }

  Tensor forward(const Tensor& x, const Tensor& c_noise, const Condition& condition) override;
  void initialize(std::uint64_t seed) override;
  /// One line for each block.
  std::vector<std::string> description() const override;

  /// Called with parts of a result and their names: noise_waves, noise_embedding, class_embedding,
  /// conv_in, down.I, mid, up.I.
  using Watch = std::function<void(const std::string& part, const Tensor& result)>;
  Tensor forward(const Tensor& x, const Tensor& c_noise, const Condition& condition, const Watch& watch) const;

 private:
  /// Channels that enter each layer of each block on the way up.
  using Joined = std::vector<std::vector<std::int64_t>>;
  /// Nothing, and why, if both ways do not fit together.
  static std::optional<Joined> joined(const Config& config, Problem& problem);
  /// The modules of a block.
  struct Built {
    std::vector<std::shared_ptr<UNetBlock>> layers;
    std::shared_ptr<UNetBlock> resampler;
    std::shared_ptr<Conv2d> conv, image_conv;
    std::shared_ptr<GroupNorm> image_norm;
  };
  Tensor embedding(const Tensor& c_noise, const Condition& condition, std::int64_t batch, const Watch& watch) const;
  std::shared_ptr<UNetBlock> layer(const Block& block, std::int64_t in, bool attention, bool up = false,
                                   bool down = false);
  Built built(torch::nn::Module& parent, const Block& block, const std::vector<std::int64_t>& inputs, bool up);

  Config config_;
  std::uint32_t layers_ = 0;
  std::shared_ptr<NoiseMap> map_noise_;
  std::shared_ptr<ClassMap> map_label_;
  std::shared_ptr<Conv2d> conv_in_, conv_out_;
  std::shared_ptr<GroupNorm> norm_out_;
  std::vector<Built> down_, up_;
  Built mid_;
};

/// Reads the options of `block_unet`; wrong ones are recorded.
BlockUNet::Config read_block_unet(Options& options, const NetworkContext& context);

}  // namespace edmund
