// Group normalization and sums over pixels of float32 images.
#include "image_loops.h"
#include "isa.h"

namespace edmund::ops::cpu::EDMUND_ISA {

void moments(const float* x, long pixels, long C, const float* shift, double* sum, double* squares) {
  moments_of(x, pixels, C, shift, sum, squares);
}

void norm_apply(const float* x, float* y, long pixels, long C, const Affine& f, const float* factors) {
  norm_apply_of(x, y, pixels, C, f, factors);
}

void norm_backward(const float* x, const float* dy, const AffineGradient& task) { norm_backward_of(x, dy, task); }

void norm_gradient(const float* x, float* dz, long pixels, long C, const float* a, const float* p, const float* q) {
  norm_gradient_of(x, dz, dz, pixels, C, a, p, q);
}

void scaled_sums(const float* dy, long pixels, long C, float scale, float* scaled, float* sums) {
  scaled_sums_of(dy, pixels, C, scale, scaled, sums);
}

}  // namespace edmund::ops::cpu::EDMUND_ISA
