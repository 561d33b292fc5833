#pragma once

#include "edmund/core/tensor.h"
#include "edmund/ops/random.h"

#include <variant>
#include <vector>

namespace edmund::ops {

/// factor·x: x is a tensor of any float dtype, or normal numbers that are drawn where the sum is
/// made.
struct Term {
  double factor = 0.0;
  std::variant<Tensor, Draw> x = {};
};

/// Linear combination of images [B, …] of one shape, Σ factor·x, as a value: `x + h * (a * now + b
/// * then)` collects the factors, and nothing is computed until it becomes a Tensor. Terms of the
/// same tensor or draw are joined.
///
/// As a Tensor it is summed in float64, in the order in which the terms first appear, then rounded
/// to the dtype of the first term, whose memory order it takes; that term must be a tensor. The
/// fast operators make one pass over the memory unless gradients are wanted. A single tensor with
/// factor 1 is that tensor itself, without a copy.
class Sum {
 public:
  /// No terms: what is added to another sum and changes nothing. Not to be made a Tensor.
  Sum() = default;
  Sum(const Tensor& x) : terms_{{1.0, x}} {}  // NOLINT: an image is a sum of one term
  explicit Sum(const Draw& noise) : terms_{{1.0, noise}} {}

  operator Tensor() const;  // NOLINT: a sum stands wherever an image does

  Sum& operator+=(const Sum& other);
  Sum& operator-=(const Sum& other) { return *this += -1.0 * other; }

  friend Sum operator*(double factor, Sum sum);
  friend Sum operator/(Sum sum, double divisor);
  friend Sum operator+(Sum a, const Sum& b) { return a += b; }
  friend Sum operator-(Sum a, const Sum& b) { return a -= b; }
  // Beside a Tensor these say which operator is meant: the sum's, not ATen's.
  friend Sum operator+(const Tensor& a, const Sum& b) { return Sum(a) + b; }
  friend Sum operator+(Sum a, const Tensor& b) { return a += Sum(b); }
  friend Sum operator-(const Tensor& a, const Sum& b) { return Sum(a) - b; }
  friend Sum operator-(Sum a, const Tensor& b) { return a -= Sum(b); }

 private:
  std::vector<Term> terms_;
};

/// factor·z as a network takes it best: in its dtype, and in the memory order of the fast operators
/// if they are chosen.
Tensor network_input(double factor, const Tensor& z, at::ScalarType dtype);

}  // namespace edmund::ops
