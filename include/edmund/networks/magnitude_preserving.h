#pragma once

#include "edmund/networks/layers.h"

#include <memory>

/// Layers of Karras et al. 2024, "Analyzing and Improving the Training Dynamics of Diffusion
/// Models", which keep the magnitude of activations, weights and updates. Parameters and buffers
/// carry the names of NVlabs/edm2's state dicts.
namespace edmund {

/// Convolution (stride 1, no bias) or linear layer whose filters count by their direction only: it
/// works with gain·w/‖w‖ for each filter w (eq. 66).
class MPConv : public Layer {
 public:
  /// Kernel 0: linear. Else odd.
  MPConv(std::int64_t in, std::int64_t out, std::int64_t kernel);
  /// x [B, in, H, W] → [B, out, H, W], or [B, in] → [B, out]; gain [] or undefined: 1.
  Tensor forward(const Tensor& x, const Tensor& gain = {}) const;
  /// mp_sum(main, forward(x), t) in one pass: main [B, out, H, W], t in [0, 1] (eq. 88).
  Tensor joined(const Tensor& x, const Tensor& main, double t) const;
  /// Standard normal, then normalized.
  void initialize(WeightSource& source) override;
  /// Forced weight normalization: replaces the weight by its normalized value, so that steps do not
  /// fade as weights grow. Because of the 1e-4 in ops::normalized(), a second call still
  /// changes filters of magnitude n by 1e-4·|1/n - 1| of themselves.
  void normalize();
  Tensor adaptable() const override { return weight_; }
  const Tensor& weight() const { return weight_; }

 private:
  // The normalized filters over √fan_in, times `factor`.
  Tensor filters(at::ScalarType dtype, double factor = 1.0) const;

  std::int64_t kernel_;
  Tensor weight_;
};

/// √2·cos(2π(f·x + φ)) with fixed random frequencies f ~ N(0, 1) and phases φ ~ U(0, 1); the
/// buffers hold 2πf and 2πφ (eq. 75).
class MPFourier : public Embedding {
 public:
  explicit MPFourier(std::int64_t channels);
  /// [B] → [B, channels], in x's dtype.
  Tensor forward(const Tensor& x) const override;
  void initialize(WeightSource& source) override;

 private:
  Tensor freqs_, phases_;
};

/// Residual block of configuration G: main path and branch of two convolutions, between which the
/// embedding scales the channels; then cosine attention if asked; then clipping.
class MPBlock : public Layer {
 public:
  /// What the main path meets before the branch: an encoder's is projected and normalized over its
  /// channels, a decoder's is projected only, after the branch has seen it.
  enum class Flavor { kEncoder, kDecoder };

  struct Config {
    std::int64_t in = 0, out = 0, embedding = 0;
    Flavor flavor = Flavor::kEncoder;
    bool up = false, down = false;
    bool attention = false;  // in out / channels_per_head heads, rounded down; none if that is 0
    std::int64_t channels_per_head = 64;
    double dropout = 0.0;
    double res_balance = 0.3, attn_balance = 0.3;  // share of the branch, in [0, 1]
    double clip_act = 256.0;                       // largest magnitude of activations; 0: any
    std::vector<double> resample_filter = {1, 1};
    std::uint32_t layer = 0;  // dropout draws of its own
  };
  explicit MPBlock(Config config);

  /// x [B, in, H, W], embedding [B, config.embedding] → [B, out, H', W'].
  Tensor forward(const Tensor& x, const Tensor& embedding, const ops::DropoutKey* dropout = nullptr) const;
  /// The embedding's gain starts at zero.
  void initialize(WeightSource& source) override;

 private:
  Tensor attended(const Tensor& x) const;

  Config config_;
  std::int64_t heads_;
  Tensor emb_gain_;
  std::shared_ptr<MPConv> conv_res0_, emb_linear_, conv_res1_, conv_skip_, attn_qkv_, attn_proj_;
};

/// Normalizes every MPConv below `module` whose weight is trained.
void normalize_weights(torch::nn::Module& module);

}  // namespace edmund
