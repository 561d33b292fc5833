#pragma once

#include "edmund/networks/network.h"
#include "edmund/networks/unet_block.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edmund {

/// U-Net of Song et al. 2021 (DDPM++, NCSN++) as Karras et al. 2022 reformulate it (NVlabs/edm
/// SongUNet). Square images.
class SongUNet : public Network {
 public:
  enum class Noise { kPositional, kFourier };
  enum class Encoder { kStandard, kSkip, kResidual };
  enum class Decoder { kStandard, kSkip };

  struct Config {
    std::int64_t resolution = 32;
    std::int64_t in_channels = 3, out_channels = 3;
    std::int64_t num_classes = 0, augment_labels = 0;
    std::int64_t channels = 128;
    // channels of each resolution, the finest first
    std::vector<std::int64_t> multipliers = {1, 2, 2, 2};
    std::int64_t embedding_multiplier = 4, noise_multiplier = 1;
    std::int64_t blocks = 4;  // of each resolution
    // resolutions with attention (the coarsest has one in any case)
    std::vector<std::int64_t> attention = {16};
    double dropout = 0.10;
    Noise embedding = Noise::kPositional;
    Encoder encoder = Encoder::kStandard;
    Decoder decoder = Decoder::kStandard;
    std::vector<double> resample_filter = {1, 1};
  };
  explicit SongUNet(Config config);

  /// Why such a network cannot be built: the option to blame and the reason.
  struct Problem {
    std::string option, reason;
  };
  static std::optional<Problem> problem(const Config& config);

  Tensor forward(const Tensor& x, const Tensor& c_noise, const Condition& condition) override;
  void initialize(std::uint64_t seed) override;
  bool takes_augment_labels() const override { return true; }

  /// Embedding of c_noise [B] before the layers that map it, [B, channels·noise_multiplier].
  Tensor noise_embedding(const Tensor& c_noise) const;

 private:
  enum class Role { kConv, kBlock, kJoin, kAuxDown, kAuxSkip, kAuxResidual, kAuxUp, kAuxOut };
  /// One module of encoder or decoder, in the order of evaluation.
  struct Part {
    Role role;
    std::string name;
    std::int64_t in, out;
    bool up = false, down = false, attention = false;
    std::shared_ptr<UNetBlock> block = nullptr;
    std::shared_ptr<Conv2d> conv = nullptr;
    std::shared_ptr<GroupNorm> norm = nullptr;
  };
  static std::vector<Part> encoder_plan(const Config& config);
  static std::vector<Part> decoder_plan(const Config& config, const std::vector<Part>& encoder);

  void build(Part& part, torch::nn::Module& parent);
  Tensor embedding(const Tensor& c_noise, const Condition& condition, std::int64_t batch) const;

  Config config_;
  std::uint32_t layers_ = 0;
  std::shared_ptr<Embedding> map_noise_;
  std::shared_ptr<Linear> map_label_, map_augment_, map_layer0_, map_layer1_;
  std::vector<Part> encoder_, decoder_;
};

}  // namespace edmund
