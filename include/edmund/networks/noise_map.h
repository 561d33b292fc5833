#pragma once

#include "edmund/networks/layers.h"

#include <cstdint>
#include <memory>

namespace edmund {

/// A learned row for each number.
class EmbeddingTable : public Layer {
 public:
  EmbeddingTable(std::int64_t rows, std::int64_t width);
  const Tensor& weight() const { return weight_; }
  void initialize(WeightSource& source) override;

 private:
  Tensor weight_;  // [rows, width]
};

/// Noise input [B] → waves or a row of a table → linear, SiLU, linear → [B, width].
class NoiseMap : public Layer {
 public:
  enum class Kind { kPositional, kFourier, kTable };
  /// Which half of the waves comes first.
  enum class Order { kCosSin, kSinCos };
  struct Config {
    Kind kind = Kind::kPositional;
    std::int64_t channels = 128;  // of the waves: of sine and cosine together
    Order order = Order::kCosSin;
    /// positional: frequencies 10000^(-i/(n - shift)), i = 0 … n - 1, n = channels/2.
    double shift = 0.0;
    double scale = 16.0;       // fourier: standard deviation of the frequencies, over 2π
    std::int64_t rows = 1000;  // table: whole noise inputs from 0 on
    bool operator==(const Config&) const = default;
  };
  NoiseMap(const Config& config, std::int64_t width);

  /// [B, channels], in float32 at least; positional waves in float32 always, as the networks were
  /// trained whose weights are converted.
  Tensor waves(const Tensor& c_noise) const;
  /// [B, width] of waves.
  Tensor embedded(const Tensor& waves) const;
  void initialize(WeightSource& source) override;

 private:
  Config config_;
  Tensor freqs_;
  std::shared_ptr<EmbeddingTable> table_;
  std::shared_ptr<Linear> in_, out_;
};

/// Classes → what is added to the embedding of the noise, [B or 1, width]; zeros for "no class".
class ClassMap : public torch::nn::Module {
 public:
  /// table: a learned row for each class; identity: the label [B, classes] is the embedding, or its
  /// number names the element that is 1; number: the class's number as a noise input of its own
  /// layers, in the waves of the noise.
  enum class Kind { kTable, kIdentity, kNumber };
  ClassMap(Kind kind, std::int64_t classes, const NoiseMap::Config& noise, std::int64_t width);

  /// labels: as in Condition; `noise`: whose waves a number takes.
  Tensor forward(const Tensor& labels, std::int64_t batch, const NoiseMap& noise,
                 const at::TensorOptions& options) const;

 private:
  Kind kind_;
  std::int64_t classes_;
  bool logarithm_;  // of a number, as Fourier waves are of the logarithm of the noise level
  std::shared_ptr<EmbeddingTable> table_;
  std::shared_ptr<Linear> in_, out_;
};

}  // namespace edmund
