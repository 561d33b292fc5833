#pragma once

#include "edmund/core/tensor.h"

#include <c10/core/TensorOptions.h>
#include <cstdint>

namespace edmund {

/// Learned log-variance u(σ) of the loss, loss/e^u + u (Karras et al. 2024): linear in
/// random Fourier features of ¼ ln σ.
class Uncertainty {
 public:
  /// kFree: any weight, 0 at first. kNormalized: the published head, whose weight counts by its
  /// direction alone (eq. 66) and starts as a random one.
  enum class Weight { kFree, kNormalized };

  Uncertainty(std::uint64_t seed, const at::TensorOptions& options, std::int64_t channels = 128,
              Weight kind = Weight::kFree);

  /// σ [B] → [B, 1, 1, 1].
  Tensor log_variance(const Tensor& sigma) const;
  /// loss [B, …] of four dimensions at σ [B] → loss/e^u + u of the same shape.
  Tensor weighted(const Tensor& loss, const Tensor& sigma) const;
  /// Forced normalization, if the weight counts by its direction: to be called after each step.
  void normalize();

  /// What is trained, [channels].
  const Tensor& weight() const { return weight_; }
  /// 2πf and 2πφ of the features √2·cos(2π(f·¼ ln σ + φ)), [channels].
  const Tensor& frequency() const { return frequency_; }
  const Tensor& phase() const { return phase_; }

 private:
  Tensor direction() const;

  Weight kind_;
  Tensor frequency_, phase_, weight_;
};

}  // namespace edmund
