#pragma once

#include "edmund/networks/dit_block.h"
#include "edmund/networks/network.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace edmund {

/// Diffusion transformer (Peebles & Xie 2023; SiT of Ma et al. 2024 is the same network).
class DiT : public Network {
 public:
  struct Config {
    ImageShape image;
    std::int64_t num_classes = 0;
    bool null_class = true;  // the label table has a row for "no class"
    std::int64_t patch = 2, hidden_size = 384, depth = 12, heads = 6;
    double mlp_ratio = 4.0;
    bool learn_sigma = false;
    double frequency_shift = 0.0;     // of the timestep embedding, see timestep_sinusoid()
    double mlp_eps = DiTBlock::kEps;  // of the norm before each MLP
  };
  /// hidden_size splits into the heads and is a multiple of 4, height and width are multiples of
  /// the patch; else throws c10::Error.
  explicit DiT(const Config& config);

  Tensor forward(const Tensor& x, const Tensor& c_noise, const Condition& condition) override;
  void initialize(std::uint64_t seed) override;

  const Config& config() const { return config_; }
  /// Patches with their positions: [B, C, H, W] → [B, L, hidden_size].
  Tensor tokens(const Tensor& x) const;
  /// Embedding of noise input and class, [batch, hidden_size].
  Tensor embedding(const Tensor& c_noise, const Condition& condition, std::int64_t batch) const;
  const std::vector<std::shared_ptr<DiTBlock>>& blocks() const { return blocks_; }

 private:
  Config config_;
  Tensor positions_;  // [1, L, hidden_size]
  std::shared_ptr<PatchEmbedding> x_embedder_;
  std::shared_ptr<TimestepEmbedding> t_embedder_;
  std::shared_ptr<LabelEmbedding> y_embedder_;
  std::vector<std::shared_ptr<DiTBlock>> blocks_;
  std::shared_ptr<DiTFinalLayer> final_layer_;
};

}  // namespace edmund
