// Matrix products in float32.
#include "gemm_blocks.h"
#include "isa.h"

namespace edmund::ops::cpu::EDMUND_ISA {

void pack(const float* b, long k, long n, long d_stride, long n_stride, float* packed) {
  for (long first = 0; first < n; first += kPanel)
    for (long d = 0; d < k; ++d)
      for (long j = 0; j < kPanel; ++j) *packed++ = first + j < n ? b[d * d_stride + (first + j) * n_stride] : 0.0F;
}

void gemm(const ConstMatrix& a, const GemmSize& size, const float* packed, long block, const Matrix& y,
          const Epilogue& epilogue) {
  product(a, size, packed, block, y, epilogue);
}

void gemm_plane(const ConstMatrix& a, const GemmSize& size, const float* packed, const Matrix& c, bool accumulate) {
  product_plane(a, size, packed, c, accumulate);
}

void gemm_transposed(const ConstMatrix& a, const ConstMatrix& b, const GemmSize& size, const Matrix& c,
                     bool accumulate) {
  product_transposed(a, b, size, c, accumulate);
}

}  // namespace edmund::ops::cpu::EDMUND_ISA
