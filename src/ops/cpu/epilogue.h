#pragma once

#include "kernels.h"
#include "vector.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

/// y from the sums of n lanes: `add` is their addend, `at` their place in the residual.
EDMUND_INLINE Vec finished(const Epilogue& e, Vec sum, Vec add, long at, long n) {
  Vec y = sum * e.scale + add;
  if (e.residual != nullptr) y += load(e.residual + at, n) * e.scale;
  if (e.relu) y = y > 0.0F ? y : Vec{};
  return y;
}

}  // namespace
}  // namespace edmund::ops::cpu::EDMUND_ISA
