#pragma once

#include "kernels.h"

/// The kernels of one instruction set (EDMUND_ISA names it); KernelTable says what each does.
namespace edmund::ops::cpu::EDMUND_ISA {

void pack(const float* b, long k, long n, long d_stride, long n_stride, float* packed);
void gemm(const ConstMatrix& a, const GemmSize& size, const float* packed, long block, const Matrix& y,
          const Epilogue& epilogue);
void gemm_plane(const ConstMatrix& a, const GemmSize& size, const float* packed, const Matrix& c, bool accumulate);
void gemm_transposed(const ConstMatrix& a, const ConstMatrix& b, const GemmSize& size, const Matrix& c,
                     bool accumulate);
void winograd_filter(WinogradTile kind, const FilterWeight& weight, const Range& c, const Range& n,
                     const FilterPlanes& u);
void winograd_input(const Tiles& tiles, const float* x, long C, const Range& t, const Planes& v);
void winograd_output(const Tiles& tiles, const ConstPlanes& m, const Range& t, const Range& n, float* y, long K,
                     const Epilogue& epilogue);
void winograd_gradient(const Tiles& tiles, const float* dy, long K, const Range& t, const Planes& v);
void winograd_filter_gradient(const ConstPlanes& du, const Range& c, const Range& k, long C, float scale, float* dw);
void moments(const float* x, long pixels, long C, const float* shift, double* sum, double* squares);
void norm_apply(const float* x, float* y, long pixels, long C, const Affine& f, const float* factors);
void norm_backward(const float* x, const float* dy, const AffineGradient& task);
void norm_gradient(const float* x, float* dz, long pixels, long C, const float* a, const float* p, const float* q);
void dropout_factors(const DropoutBits& bits, long image_pixels, long C, const Range& pixels, float* factors);
void philox(const PhiloxKey& key, std::uint32_t first, long blocks, std::uint32_t* out);
void normal(const std::uint32_t* words, long count, double* out);
void combine(const Scaled* terms, long count, long size, const Numbers& out);
void epilogue(float* y, long pixels, long C, const Epilogue& epilogue);
void scaled_sums(const float* dy, long pixels, long C, float scale, float* scaled, float* sums);
void shrink(const float* top, const float* bottom, long width, long C, float factor, float* out);
void grow(const float* row, long width, long C, float factor, float* top, float* bottom);
void max_pool(const float* const* rows, long width, long C, long stride, long padding, long out_width, float* out);
long attention_scratch(long L, long d, bool backward);
void attention(const Attention& task, const Range& queries, float* scratch);
void attention_backward(const Attention& task, const float* dout, float* dqkv, float* scratch);
void row_norm(const RowNorm& task);
void row_norm_backward(const RowNorm& task, const float* dy, float* dscale, float* dshift);
void gelu(const float* x, float* y, long size);
void gelu_backward(const float* x, const float* dy, float* dx, long size);
void gated(const float* h, const float* x, const float* gate, float* y, long rows, long C);
void gated_backward(const float* x, const float* gate, const float* dy, float* dx, float* dgate, long rows, long C);
void blend(const float* a, const float* b, float of_a, float of_b, float* y, long size);
void unit_rows(const UnitRows& task);
void unit_rows_backward(const UnitRows& task, const float* dy);
void unit_silu(const float* x, const float* scale, float* y, long rows, long C);
void unit_silu_backward(const float* x, const float* scale, const float* dy, float* dx, float* dscale, long rows,
                        long C);
double sum_of_squares(const float* x, long size);
void adam(const AdamChunk& chunk, const AdamTerms& terms);

extern const KernelTable kTable;

}  // namespace edmund::ops::cpu::EDMUND_ISA
