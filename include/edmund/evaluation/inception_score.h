#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>

namespace edmund {

struct SplitScore {
  double mean = 0.0;
  double std = 0.0;  // over the splits, divided by their number: what papers print behind ±
};

/// exp(E KL(p(y|x) ‖ p(y))) of class logits [N, classes] (Salimans et al. 2016, sec. 4), in
/// float64, for each of `splits` runs of consecutive images, N·i/splits up to N·(i+1)/splits;
/// images are not shuffled. In [1, classes]. Called inception score only with Inception-v3's
/// logits.
SplitScore inception_score(const Tensor& logits, std::int64_t splits = 10);

}  // namespace edmund
