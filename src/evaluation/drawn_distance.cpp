#include "edmund/evaluation/drawn_distance.h"

#include <ATen/ATen.h>
#include <cmath>

namespace edmund {
namespace {

std::optional<double> error_of(const Tensor& influence) {
  if (!influence.defined() || influence.numel() < 2) return std::nullopt;
  return influence.std().item<double>() / std::sqrt(static_cast<double>(influence.numel()));
}

}  // namespace

std::optional<double> DrawnDistance::error() const { return error_of(influence); }

std::optional<double> paired_error(const DrawnDistance& a, const DrawnDistance& b) {
  const bool both = a.influence.defined() && b.influence.defined() && a.influence.sizes() == b.influence.sizes();
  return both ? error_of(a.influence - b.influence) : std::nullopt;
}

}  // namespace edmund
