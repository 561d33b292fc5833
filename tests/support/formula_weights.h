#pragma once

#include "edmund/core/tensor.h"

#include <c10/util/ArrayRef.h>
#include <cstdint>
#include <optional>
#include <string>

namespace edmund::testing {

/// Weights that a golden file states by a formula: element i of the tensor NAME is made of bits
/// from splitmix64, seeded by FNV-1a-64(NAME) + salt.
struct FormulaWeights {
  std::uint64_t salt = 0;
  double gain = 1.0;

  /// Double precision. Two or more dimensions: uniform of variance gain/fan_in; one: by the ending
  /// of the name.
  Tensor tensor(const std::string& name, at::IntArrayRef shape) const;
  /// Reads "salt=S, gain=G" out of a file's notes; empty if the notes speak of no formula weights.
  static std::optional<FormulaWeights> from(const std::string& notes);
};

}  // namespace edmund::testing
