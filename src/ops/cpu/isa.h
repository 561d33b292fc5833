#pragma once

#include "kernels.h"

/// The kernels of one instruction set (EDMUND_ISA names it); KernelTable says what each does.
namespace edmund::ops::cpu::EDMUND_ISA {

void pack(const float* b, long depth, long columns, long d_stride, long n_stride, float* packed);
void gemm(const float* a, long lda, long rows, long depth, long columns, const float* packed, const Output& out);
void gemm_plane(const float* a, long lda, long rows, long depth, const float* packed, long columns, float* c, long ldc,
                bool accumulate = false);
void gemm_transposed(const float* a, long lda, const float* b, long ldb, long depth, long m, long n, float* c, long ldc,
                     bool accumulate = false);
void dot_rows(const float* x, long B, long I, const float* w, const float* bias, long first, long last, float* y,
              long O);
void winograd_weights(WinogradTile kind, const FilterWeight& weight, long c0, long c1, long n0, long n1, float* u,
                      long plane, long depth);
void winograd_input(const Tiles& tiles, const float* x, long C, long t0, long t1, float* v, long plane, long row);
void winograd_output(const Tiles& tiles, const float* m, long plane, long row, long t0, long t1, long n0, long n1,
                     const TileOutput& out);
void winograd_gradient(const Tiles& tiles, const float* dy, long K, long t0, long t1, float* v, long plane, long row);
void winograd_weight_gradient(const float* du, long plane, long row, long C, long c0, long c1, long k0, long k1,
                              float scale, float* dw);
void moments(const float* x, long pixels, long C, const float* shift, double* sum, double* squares);
void norm_apply(const float* x, float* y, long pixels, long C, const Affine& f, const float* factors);
void norm_backward(const float* x, const float* dy, float* dz, long pixels, long C, const Affine& f,
                   const float* factors, const float* mean, const float* rstd, double* sums, double* products);
void norm_gradient(const float* x, float* dz, long pixels, long C, const float* a, const float* p, const float* q);
void dropout_factors(const DropoutBits& bits, long image_pixels, long C, long first, long last, float* factors);
void philox(const std::uint32_t* key, const std::uint32_t* counter, std::uint32_t first, long blocks,
            std::uint32_t* out);
void normal(const std::uint32_t* words, long count, double* out);
void combine(const Scaled* terms, long count, long size, const Numbers& out);
void epilogue(float* y, long pixels, long C, const float* add, const float* residual, float scale);
void scaled_sums(const float* dy, long pixels, long C, float scale, float* scaled, float* sums);
void shrink(const float* top, const float* bottom, long width, long C, float factor, float* out);
void grow(const float* row, long width, long C, float factor, float* top, float* bottom);
void max_pool(const float* const* rows, long width, long C, long stride, long padding, long out_width, float* out);
long attention_scratch(long L, long d, bool backward);
void attention(const Attention& task, long first, long last, float* scratch);
void attention_backward(const Attention& task, const float* dout, float* dqkv, float* scratch);
double sum_of_squares(const float* x, long size);
void adam(float* p, const float* g, float* m, float* v, float* const* ema, const float* ema_beta, long copies,
          long size, const AdamTerms& terms);

extern const KernelTable kTable;

}  // namespace edmund::ops::cpu::EDMUND_ISA
