#pragma once

#include "edmund/core/tensor.h"

#include <c10/core/TensorOptions.h>
#include <cstdint>

namespace edmund {

/// Learned log-variance u(σ) of the loss, loss/e^u + u (Karras et al. 2024, EDM2): linear in 128
/// random Fourier features of ¼ ln σ, 0 at first.
class Uncertainty {
 public:
  Uncertainty(std::uint64_t seed, const at::TensorOptions& options);

  /// σ [B] → [B, 1, 1, 1].
  Tensor log_variance(const Tensor& sigma) const;
  /// What is trained, [128].
  const Tensor& weight() const { return weight_; }

 private:
  Tensor frequency_, phase_, weight_;
};

}  // namespace edmund
