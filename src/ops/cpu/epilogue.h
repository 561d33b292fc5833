#pragma once

#include "kernels.h"
#include "vector.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

/// Keeps a product from being fused with the sum that follows. Whether the compiler would do so is
/// its choice in each unrolled copy, and a pixel's copy depends on how pixels are shared out.
EDMUND_INLINE void round_now([[maybe_unused]] Vec& product) {
#ifdef __FMA__
  asm("" : "+v"(product));
#endif
}

/// y from the sums of n lanes: `add` is their addend, `at` their place in the residual.
EDMUND_INLINE Vec finished(const Epilogue& e, Vec sum, Vec add, long at, long n) {
  Vec y = sum * e.scale;
  round_now(y);
  y += add;
  if (e.residual != nullptr) {
    Vec residual = load(e.residual + at, n) * e.scale;
    round_now(residual);
    y += residual;
  }
  if (e.relu) y = y > 0.0F ? y : Vec{};
  return y;
}

}  // namespace
}  // namespace edmund::ops::cpu::EDMUND_ISA
