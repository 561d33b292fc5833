#pragma once

#include "edmund/core/tensor.h"
#include "edmund/ops/ops.h"

#include <cstdint>
#include <functional>
#include <torch/nn/module.h>
#include <utility>
#include <vector>

/// Layers that U-Nets are made of. Parameters and buffers carry the names of NVlabs/edm's state
/// dicts, so that weights can be exchanged.
namespace edmund {

/// Draws initial weights, one stream of random numbers for each parameter, in the order of the
/// calls.
class WeightSource {
 public:
  explicit WeightSource(std::uint64_t seed) : seed_(seed) {}
  /// Double precision, in [-1, 1] and N(0, 1).
  Tensor uniform(at::IntArrayRef shape);
  Tensor normal(at::IntArrayRef shape);

 private:
  std::uint64_t seed_;
  std::int64_t parameter_ = 0;
};

/// Distribution of a layer's initial weights: variance 2/(fan_in + fan_out) (Glorot & Bengio 2010)
/// or 1/fan_in.
enum class Draw { kXavierUniform, kXavierNormal, kKaimingUniform, kKaimingNormal };
struct Init {
  Draw draw = Draw::kKaimingNormal;
  double weight = 1.0;  // multiplies the drawn weights
  double bias = 0.0;    // multiplies a bias drawn likewise
};

/// A module that knows how its own parameters start.
class Layer : public torch::nn::Module {
 public:
  virtual void initialize(WeightSource& source) = 0;
  /// The weight [out, in, taps…] that an adapter may change; undefined if there is none.
  virtual Tensor adaptable() const { return {}; }
  /// Whether that weight is a table [rows, width] of embeddings.
  virtual bool is_table() const { return false; }
  /// From now on the layer works with its weight plus `change()`, of the same shape, asked for anew
  /// in each call; empty: with its weight alone (see networks/adapter.h).
  void change_weight(std::function<Tensor()> change) { change_ = std::move(change); }
  bool is_changed() const { return change_ != nullptr; }
  /// Adds the change to the weight for good.
  void keep_change();

 protected:
  Tensor changed(const Tensor& weight) const { return change_ ? weight + change_() : weight; }

 private:
  std::function<Tensor()> change_;
};
/// Initializes every Layer below `module`, in the order of registration.
void initialize_layers(torch::nn::Module& module, std::uint64_t seed);

/// [B, in] → [B, out], or [B, L, in] → [B, L, out].
class Linear : public Layer {
 public:
  Linear(std::int64_t in, std::int64_t out, Init init, bool bias = true);
  Tensor forward(const Tensor& x) const;
  void initialize(WeightSource& source) override;
  Tensor adaptable() const override { return weight_; }
  const Tensor& weight() const { return weight_; }

 private:
  Init init_;
  Tensor weight_, bias_;
};

/// What a block adds to a convolution's result: y = (conv + per_sample + residual)·scale.
struct Epilogue {
  Tensor per_sample = {};  // [B, out]
  Tensor residual = {};    // [B, out, H, W]
  double scale = 1.0;
  bool inner = false;  // of ops::Conv2d
};

/// Convolution with up- or downsampling before it. Kernel 0: resampling alone.
class Conv2d : public Layer {
 public:
  struct Config {
    std::int64_t in = 0, out = 0;
    std::int64_t kernel = 3;  // 0 or odd
    bool up = false, down = false;
    std::vector<double> resample_filter = {1, 1};  // an even number of taps
    /// Resamples and convolves with one zero padding for both (the filter comes after the
    /// convolution on the way down).
    bool fused_resample = false;
    bool bias = true;
    Init init = {};
  };
  explicit Conv2d(Config config);
  Tensor forward(const Tensor& x, const Epilogue& epilogue = {}) const;
  void initialize(WeightSource& source) override;
  Tensor adaptable() const override { return weight_; }

 private:
  Config config_;
  Tensor weight_, bias_, filter_;
};

/// What follows a normalization. GELU is the exact one, x·Φ(x).
enum class Activation { kSilu, kGelu, kMish, kRelu };
Tensor activated(const Tensor& x, Activation activation);

/// Group normalization with what follows it: adaptive scale and shift, SiLU, dropout
/// (ops::GroupNorm).
class GroupNorm : public Layer {
 public:
  /// `groups` 0: min(32, C/4).
  GroupNorm(std::int64_t channels, double eps, std::int64_t groups = 0);
  /// `args` says what follows; groups, eps, weight and bias are filled in here.
  Tensor forward(const Tensor& x, ops::GroupNorm args) const;
  /// The same with another activation in place of SiLU. Its dropout is SiLU's or ReLU's only: else
  /// throws c10::Error where `args` has one.
  Tensor forward(const Tensor& x, ops::GroupNorm args, Activation activation) const;
  void initialize(WeightSource& source) override;

  /// min(32, C/4). Throws Error if C channels do not split into that many groups.
  static std::int64_t groups(std::int64_t channels);

 private:
  std::int64_t groups_;
  double eps_;
  Tensor weight_, bias_;
};

/// Noise level [B] → [B, channels].
class Embedding : public Layer {
 public:
  virtual Tensor forward(const Tensor& x) const = 0;
};

/// [cos, sin] of x·10000^(-i/n) (Vaswani et al. 2017), i = 0 … channels/2 - 1; n = channels/2, less
/// one with `endpoint`.
class PositionalEmbedding : public Embedding {
 public:
  explicit PositionalEmbedding(std::int64_t channels, bool endpoint = false, double max_positions = 10000);
  Tensor forward(const Tensor& x) const override;
  void initialize(WeightSource&) override {}

 private:
  std::int64_t channels_;
  bool endpoint_;
  double max_positions_;
};

/// [cos, sin] of 2π·x·f with fixed random frequencies f ~ N(0, scale²), a buffer (Tancik et al.
/// 2020).
class FourierEmbedding : public Embedding {
 public:
  explicit FourierEmbedding(std::int64_t channels, double scale = 16);
  Tensor forward(const Tensor& x) const override;
  void initialize(WeightSource& source) override;

 private:
  double scale_;
  Tensor freqs_;
};

}  // namespace edmund
