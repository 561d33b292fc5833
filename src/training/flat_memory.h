#pragma once

#include "edmund/ops/ops.h"
#include "edmund/training/checkpoint.h"

#include <cstdint>
#include <vector>

namespace edmund {

/// Where each parameter lies in one flat tensor. Parameters begin at multiples of 64 bytes; the
/// gaps stay zero.
struct FlatMemory {
  explicit FlatMemory(const NamedTensors& parameters);

  /// Zeros of the whole length, dtype and device of the parameters.
  Tensor zeros() const;
  /// The parameters' parts of a flat tensor, by name; they share its memory.
  NamedTensors views(const Tensor& flat) const;
  /// A gradient's parts in the parameters' order, where they belong.
  std::vector<ops::GradientPiece> pieces(const std::vector<Tensor>& parts) const;
  /// The same in flat memory.
  Tensor joined(const std::vector<ops::GradientPiece>& pieces) const;
  /// Moves the parameters into a flat tensor: their values are copied, from then on they are views
  /// of it.
  void adopt(NamedTensors& parameters, const Tensor& flat) const;

 private:
  NamedTensors like_;  // names, shapes, dtype, device
  std::vector<std::int64_t> offsets_;
  std::int64_t length_ = 0;
};

}  // namespace edmund
