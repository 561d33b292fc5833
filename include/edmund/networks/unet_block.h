#pragma once

#include "edmund/networks/layers.h"

#include <memory>
#include <optional>

namespace edmund {

/// Residual block of both U-Nets of Karras et al. 2022 (DDPM++/NCSN++ and ADM): norm, convolution
/// (with resampling), noise embedding, norm, dropout, convolution, skip connection; then attention
/// if asked.
class UNetBlock : public torch::nn::Module {
 public:
  struct Config {
    std::int64_t in = 0, out = 0, embedding = 0;
    bool up = false, down = false;
    bool attention = false;
    /// Missing: out / channels_per_head, rounded down. No heads, no attention.
    std::optional<std::int64_t> heads = std::nullopt;
    std::int64_t channels_per_head = 64;
    double dropout = 0.0;
    double skip_scale = 1.0;  // multiplies the sum after each residual connection
    double eps = 1e-5;
    std::int64_t groups = 0;  // of the norms; 0: min(32, C/4)
    std::vector<double> resample_filter = {1, 1};
    bool resample_projection = false;  // 1×1 convolution on a skip that resamples only
    // the embedding scales and shifts after the second norm; else it is added before it
    bool adaptive_scale = true;
    Init init = {}, init_zero = {.weight = 0.0};
    std::optional<Init> init_attention = std::nullopt;
    std::uint32_t layer = 0;  // dropout draws of its own
  };
  explicit UNetBlock(Config config);

  /// x [B, in, H, W], embedding [B, config.embedding] → [B, out, H', W'].
  Tensor forward(const Tensor& x, const Tensor& embedding, const ops::DropoutKey* dropout = nullptr) const;

 private:
  Config config_;
  std::int64_t heads_;
  std::shared_ptr<GroupNorm> norm0_, norm1_, norm2_;
  std::shared_ptr<Conv2d> conv0_, conv1_, skip_, qkv_, proj_;
  std::shared_ptr<Linear> affine_;
};

}  // namespace edmund
