#pragma once

#include "edmund/core/philox_layout.h"

#include <cstdint>

/// Loops over plain memory that the fast operators are made of, one table of them for each
/// instruction set. All numbers are float32, all images channels-last: [pixels, channels]. A kernel
/// runs on the thread that calls it.
namespace edmund::ops::cpu {

/// Matrix whose row i begins at data + i·row.
template <typename Number>
struct MatrixOf {
  Number* data = nullptr;
  long row = 0;
};
using Matrix = MatrixOf<float>;
using ConstMatrix = MatrixOf<const float>;
/// A matrix for each point of a Winograd tile: row i of point p begins at data + p·plane + i·row.
template <typename Number>
struct PlanesOf {
  Number* data = nullptr;
  long plane = 0, row = 0;
};
using Planes = PlanesOf<float>;
using ConstPlanes = PlanesOf<const float>;
/// Of a product C [m, n] = A [m, k] · B [k, n].
struct GemmSize {
  long m = 0, n = 0, k = 0;
};
/// Indices [first, last).
struct Range {
  long first = 0, last = 0;
};

/// What is computed on the sums of a convolution before they leave the registers:
/// y = sum·scale + add + residual·scale, then max(y, 0) if `relu`.
struct Epilogue {
  const float* add = nullptr;       // [K] of image i at add + i·add_stride, or null
  long add_stride = 0;              // 0: the same for all images
  const float* residual = nullptr;  // laid out as y, or null
  float scale = 1.0F;
  bool relu = false;
};

/// Tiles of the Winograd algorithm (Lavin & Gray 2016), by the height × width of the filter they
/// are for; stride 1.
enum class WinogradTile { k3x3, k5x5, k1x3, k3x1, k1x7, k7x1 };
/// Products for each tile and channel, and pixels of the result that they make.
struct WinogradTileShape {
  long points, height, width;
};
constexpr WinogradTileShape kWinogradTiles[] = {{36, 4, 4}, {36, 2, 2}, {6, 1, 4}, {6, 4, 1}, {10, 1, 4}, {10, 4, 1}};

/// An image cut into tiles of the result, which are numbered through all images, row by row; the
/// last tile of a row or column may overhang.
struct Tiles {
  WinogradTile kind = WinogradTile::k3x3;
  long H = 0, W = 0;           // of x
  long y_pad = 0, x_pad = 0;   // zeros before its first row and column
  long out_H = 0, out_W = 0;   // of the result
  long rows = 0, columns = 0;  // tiles of one image
};

/// Where a filter [out, in, R, S] lies, seen as the convolution needs it: element (k, c, r, s) at w
/// + k·k_stride + c·c_stride + S·r + s, turned by 180° if `rotated` (the gradient for the input is
/// a convolution with the rotated filter, out and in exchanged).
struct FilterWeight {
  const float* w = nullptr;
  long K = 0, C = 0, k_stride = 0, c_stride = 0;
  bool rotated = false;
};
/// Where a transformed filter lies, as panels for gemm_plane(), from input channel c0 and output
/// channel n0 on: element (point p, n, c) at data + p·plane + (n - n0)/panel·depth·panel + (c -
/// c0)·panel + n mod panel.
template <typename Number>
struct FilterPlanesOf {
  Number* data = nullptr;
  long plane = 0, depth = 0;
};
using FilterPlanes = FilterPlanesOf<float>;

/// Random numbers of dropout for one image: element n = channel·pixels + pixel is kept if word n of
/// the key is at least `limit`.
struct DropoutBits {
  PhiloxKey key = {};
  std::uint32_t limit = 0;
  float kept = 1.0F;  // what survivors are multiplied by
};

/// Normalization of one image seen by its channels: z = x·a + b, then SiLU, then factors.
struct Affine {
  const float *a = nullptr, *b = nullptr;  // [C]
  bool silu = true;
};
/// Gradient of Affine for [pixels, C], factors included.
struct AffineGradient {
  float* dz = nullptr;
  long pixels = 0, C = 0;
  Affine affine = {};
  const float* factors = nullptr;                // as dz, or null
  const float *mean = nullptr, *rstd = nullptr;  // [C]
  double *sums = nullptr, *products = nullptr;   // [C], added to
};

/// Softmax attention of one head of one image. Element c of pixel i's query, key or value (part 0,
/// 1, 2) at qkv + i·row + 3c + part.
struct Attention {
  const float* qkv = nullptr;
  long row = 0, L = 0, d = 0;  // floats from pixel to pixel; pixels; channels of the head
  float scale = 1.0F;          // of the scores
  float* out = nullptr;        // pixel i's result at out + i·out_row
  long out_row = 0;
  // [L], log Σ exp of each query's scores: written by forward unless null, read by backward
  float* log_sums = nullptr;
};

/// float32 or float64: number i at x + i·stride.
struct Numbers {
  void* x = nullptr;
  bool is_double = false;
  long stride = 1;
};
/// factor · numbers.
struct Scaled {
  double factor = 0.0;
  Numbers numbers = {};
};

/// Rows of C numbers, each brought to mean 0 and variance 1, then times 1 + scale, plus shift.
struct RowNorm {
  const float* x = nullptr;
  float* y = nullptr;  // of the backward pass: the gradient of x
  long rows = 0, C = 0;
  float eps = 0.0F;
  const float *scale = nullptr, *shift = nullptr;  // [C], or null both
  // [rows]: written by forward unless null, read by backward
  float *mean = nullptr, *rstd = nullptr;
};
/// y = gain·x/(1e-4 + ‖x‖/√C): rows of parts·C numbers, number i of a row belongs to part i mod
/// parts (1 or 3), each of which has a norm of its own.
struct UnitRows {
  const float* x = nullptr;
  float* y = nullptr;  // of the backward pass: the gradient of x
  long rows = 0, C = 0, parts = 1;
  float gain = 1.0F;
};

struct AdamTerms {
  float one_minus_beta1, one_minus_beta2, eps, decay, inverse_root_correction2, step_size;
  float gradient_scale;
  bool zero_nonfinite;
};
/// Consecutive elements of flat memory for an Adam step.
struct AdamChunk {
  float *p = nullptr, *m = nullptr, *v = nullptr;  // parameters and moments
  const float* g = nullptr;
  float* const* ema = nullptr;
  float* const* ema_rest = nullptr;  // of each copy what rounding left of it, or null
  const float* ema_rate = nullptr;   // 1 - β
  long copies = 0, size = 0;         // EMA copies; elements
};

struct KernelTable {
  const char* name;
  long panel;  // columns that packed matrices are padded to

  /// B [k, n], element (d, j) at b + d·d_stride + j·n_stride, into panels [⌈n/panel⌉, k, panel].
  void (*pack)(const float* b, long k, long n, long d_stride, long n_stride, float* packed);
  /// y [m, n] = A · packed B, then the epilogue; as many rows of A at a time as make `block`
  /// floats.
  void (*gemm)(const ConstMatrix& a, const GemmSize& size, const float* packed, long block, const Matrix& y,
               const Epilogue& epilogue);
  /// C (+)= A · packed B; C is written up to n rounded up to whole vectors.
  void (*gemm_plane)(const ConstMatrix& a, const GemmSize& size, const float* packed, const Matrix& c, bool accumulate);
  /// C (+)= Aᵀ·B, A [k, m], B [k, n]. B and C may be read and written up to n rounded up to panel.
  void (*gemm_transposed)(const ConstMatrix& a, const ConstMatrix& b, const GemmSize& size, const Matrix& c,
                          bool accumulate);

  /// The transforms of the Winograd algorithm. Of the filter, G g Gᵀ, for input channels `c` and
  /// output channels `n` (from a multiple of panel on).
  void (*winograd_filter)(WinogradTile kind, const FilterWeight& weight, const Range& c, const Range& n,
                          const FilterPlanes& u);
  /// Of tiles `t` of x [B, H, W, C], Bᵀ d B: a row for each tile; zeros from C to v.row.
  void (*winograd_input)(const Tiles& tiles, const float* x, long C, const Range& t, const Planes& v);
  /// Of products m, Aᵀ m A and the epilogue: output channels `n` (column 0 of m is n.first) of
  /// tiles `t` to y [B, out_H, out_W, K].
  void (*winograd_output)(const Tiles& tiles, const ConstPlanes& m, const Range& t, const Range& n, float* y, long K,
                          const Epilogue& epilogue);
  /// 3×3 alone: A dY Aᵀ of the gradient dy [B, H, W, K], laid out as by winograd_input().
  void (*winograd_gradient)(const Tiles& tiles, const float* dy, long K, const Range& t, const Planes& v);
  /// 3×3 alone: dw [K, C, 3, 3] = scale · Gᵀ dU G for channels `c` and `k`, which row 0 and column
  /// 0 of du begin with.
  void (*winograd_filter_gradient)(const ConstPlanes& du, const Range& c, const Range& k, long C, float scale,
                                   float* dw);

  /// sum[c], squares[c] += Σ (x - shift[c]), Σ (x - shift[c])².
  void (*moments)(const float* x, long pixels, long C, const float* shift, double* sum, double* squares);
  /// y = f(x·a + b)·factors; factors may be null.
  void (*norm_apply)(const float* x, float* y, long pixels, long C, const Affine& f, const float* factors);
  /// dz = dy·factors·f'(x·a + b), and sums[c] += Σ dz, products[c] += Σ dz·(x - mean[c])·rstd[c].
  void (*norm_backward)(const float* x, const float* dy, const AffineGradient& task);
  /// dx = dz·a + x·p + q, in place of dz.
  void (*norm_gradient)(const float* x, float* dz, long pixels, long C, const float* a, const float* p, const float* q);
  /// 0 or `kept` for some pixels of an image of `image_pixels`: [pixels, C].
  void (*dropout_factors)(const DropoutBits& bits, long image_pixels, long C, const Range& pixels, float* factors);
  /// Words of Philox4x32-10 blocks first, first + 1, …: 4·blocks words.
  void (*philox)(const PhiloxKey& key, std::uint32_t first, long blocks, std::uint32_t* out);

  /// Box-Muller: words 2i and 2i + 1 give normal numbers 2i and 2i + 1; count even.
  void (*normal)(const std::uint32_t* words, long count, double* out);

  /// out = Σ of the terms, summed in float64.
  void (*combine)(const Scaled* terms, long count, long size, const Numbers& out);
  /// y = y·scale + add + residual·scale, in place, of one image; `relu` and `add_stride` have no
  /// part in it.
  void (*epilogue)(float* y, long pixels, long C, const Epilogue& epilogue);
  /// sums[c] += Σ dy·scale; scaled = dy·scale unless null.
  void (*scaled_sums)(const float* dy, long pixels, long C, float scale, float* scaled, float* sums);
  /// One row of the half image: factor · (sum of 2×2 pixels), from two rows of `width` pixels.
  void (*shrink)(const float* top, const float* bottom, long width, long C, float factor, float* out);
  /// Two rows of the double image from one row of `width` pixels: factor · copies.
  void (*grow)(const float* row, long width, long C, float factor, float* top, float* bottom);
  /// One row of the largest pixels of 3×3 windows, `stride` apart from column -padding on; rows:
  /// those of the windows, null beyond the image.
  void (*max_pool)(const float* const* rows, long width, long C, long stride, long padding, long out_width, float* out);
  /// Floats of scratch that the next two need.
  long (*attention_scratch)(long L, long d, bool backward);
  void (*attention)(const Attention& task, const Range& queries, float* scratch);
  /// Gradient of qkv, laid out as it, from that of the result, laid out as `out`.
  void (*attention_backward)(const Attention& task, const float* dout, float* dqkv, float* scratch);

  void (*row_norm)(const RowNorm& task);
  /// dscale += Σ dy·(x - mean)·rstd and dshift += Σ dy over the rows, [C], or null both.
  void (*row_norm_backward)(const RowNorm& task, const float* dy, float* dscale, float* dshift);
  /// x·Φ(x), Φ approximated by tanh.
  void (*gelu)(const float* x, float* y, long size);
  void (*gelu_backward)(const float* x, const float* dy, float* dx, long size);
  /// y = h + gate·x, gate [C]; dx = gate·dy, dgate += Σ dy·x.
  void (*gated)(const float* h, const float* x, const float* gate, float* y, long rows, long C);
  void (*gated_backward)(const float* x, const float* gate, const float* dy, float* dx, float* dgate, long rows,
                         long C);
  /// y = of_a·a + of_b·b; b may be null.
  void (*blend)(const float* a, const float* b, float of_a, float of_b, float* y, long size);
  void (*unit_rows)(const UnitRows& task);
  void (*unit_rows_backward)(const UnitRows& task, const float* dy);
  /// y = silu(x·scale)/0.596, scale [C] or null; dscale [C] is added to, or null.
  void (*unit_silu)(const float* x, const float* scale, float* y, long rows, long C);
  void (*unit_silu_backward)(const float* x, const float* scale, const float* dy, float* dx, float* dscale, long rows,
                             long C);

  double (*sum_of_squares)(const float* x, long size);
  /// One pass over all arrays of a chunk.
  void (*adam)(const AdamChunk& chunk, const AdamTerms& terms);
};

/// Table of the best instruction set that this machine has.
const KernelTable& kernel_table();
/// All tables that this machine can run, the best first (tests compare them).
const KernelTable* const* kernel_tables(long& count);
/// Makes another of them the one to use (tests).
void use_kernel_table(const KernelTable& table);

}  // namespace edmund::ops::cpu
