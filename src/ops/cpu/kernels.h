#pragma once

#include <cstdint>

/// Loops over plain memory that the fast operators are made of, one table of them for each instruction set. All numbers are float32, all images
/// channels-last: [pixels, channels]. A kernel runs on the thread that calls it.
namespace edmund::ops::cpu {

/// What follows a convolution, applied as its sums leave the registers: y = sum·scale + add + residual·scale, then max(y, 0) if `relu`.
struct Output {
  float* y = nullptr;               // [pixels, columns]
  const float* add = nullptr;       // [columns], or null
  const float* residual = nullptr;  // [pixels, columns], or null
  float scale = 1.0F;
  bool relu = false;
};

/// Tiles of the Winograd algorithm (Lavin & Gray 2016), by the height × width of the filter they are for; stride 1.
enum class WinogradTile { k3x3, k5x5, k1x3, k3x1, k1x7, k7x1 };
/// Products for each tile and channel, and pixels of the result that they make.
struct WinogradTileShape {
  long points, height, width;
};
constexpr WinogradTileShape kWinogradTiles[] = {{36, 4, 4}, {36, 2, 2}, {6, 1, 4}, {6, 4, 1}, {10, 1, 4}, {10, 4, 1}};

/// An image cut into tiles of the result, which are numbered through all images, row by row; the last tile of a row or column may overhang.
struct Tiles {
  WinogradTile kind = WinogradTile::k3x3;
  long H = 0, W = 0;           // of x
  long y_pad = 0, x_pad = 0;   // zeros before its first row and column
  long out_H = 0, out_W = 0;   // of the result
  long rows = 0, columns = 0;  // tiles of one image
};

/// What becomes of the products of tiles: as Output, on images [B, out_H, out_W, K].
struct TileOutput {
  float* y = nullptr;
  const float* add = nullptr;  // [K] at add + image·add_stride, or null
  long add_stride = 0;
  const float* residual = nullptr;
  float scale = 1.0F;
  bool relu = false;
  long K = 0;
};

/// Where a weight [out, in, R, S] lies, seen as the convolution needs it: element (k, c, r, s) at w + k·k_stride + c·c_stride + S·r + s,
/// turned by 180° if `rotated` (the gradient for the input is a convolution with the rotated weight, out and in exchanged).
struct FilterWeight {
  const float* w = nullptr;
  long K = 0, C = 0, k_stride = 0, c_stride = 0;
  bool rotated = false;
};

/// Random numbers of dropout for one image: element n = channel·pixels + pixel is kept if word n of the key is at least `limit`.
struct DropoutBits {
  std::uint32_t key[2] = {}, counter[3] = {};  // counter: words 1 to 3; word 0 counts groups of four elements
  std::uint32_t limit = 0;
  float kept = 1.0F;  // what survivors are multiplied by
};

/// Normalization of one image seen by its channels: z = x·a + b, then SiLU, then factors.
struct Affine {
  const float *a = nullptr, *b = nullptr;  // [C]
  bool silu = true;
};

/// Softmax attention of one head of one image. Element c of pixel i's query, key or value (part 0, 1, 2) at qkv + i·row + 3c + part.
struct Attention {
  const float* qkv = nullptr;
  long row = 0, L = 0, d = 0;  // floats from pixel to pixel; pixels; channels of the head
  float scale = 1.0F;          // of the scores
  float* out = nullptr;        // pixel i's result at out + i·out_row
  long out_row = 0;
  float* log_sums = nullptr;  // [L], log Σ exp of each query's scores: written by forward unless null, read by backward
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

struct AdamTerms {
  float beta1, one_minus_beta1, beta2, one_minus_beta2, eps, decay, inverse_root_correction2, step_size;
  float gradient_scale;
  bool zero_nonfinite;
};

struct KernelTable {
  const char* name;
  long panel;  // columns that packed matrices are padded to

  /// B [depth, columns], element (d, n) at b + d·d_stride + n·n_stride, into panels [⌈columns/panel⌉, depth, panel].
  void (*pack)(const float* b, long depth, long columns, long d_stride, long n_stride, float* packed);
  /// y [rows, columns] (rows `ldy` apart) = A [rows, depth] · packed B, with what follows.
  void (*gemm)(const float* a, long lda, long rows, long depth, long columns, const float* packed, const Output& out);
  /// C [m, n] (+)= Aᵀ·B, A [depth, m], B [depth, n]; rows lda, ldb, ldc apart. B and C may be read and written up to n rounded up to panel.
  void (*gemm_transposed)(const float* a, long lda, const float* b, long ldb, long depth, long m, long n, float* c,
                          long ldc, bool accumulate);

  /// y [B, O] = x [B, I] · wᵀ [O, I] + bias for outputs [first, last); bias may be null. For few rows, where reading w is the work.
  void (*dot_rows)(const float* x, long B, long I, const float* w, const float* bias, long first, long last, float* y,
                   long O);

  /// c [rows, columns] (+)= A·packed B, rows lda and ldc apart; c is written up to `columns` rounded up to whole vectors.
  void (*gemm_plane)(const float* a, long lda, long rows, long depth, const float* packed, long columns, float* c,
                     long ldc, bool accumulate);

  /// The Winograd algorithm's transforms. Their results are planes, one for each point of the tile.
  /// Of the weight, G g Gᵀ, for input channels [c0, c1) and output channels [n0, n1) (n0 a multiple of panel) as panels for gemm_plane(): element
  /// (p, n, c) at u + p·plane + (n - n0)/panel·depth·panel + (c - c0)·panel + n mod panel.
  void (*winograd_weights)(WinogradTile kind, const FilterWeight& weight, long c0, long c1, long n0, long n1, float* u,
                           long plane, long depth);
  /// Of tiles [t0, t1) of x [B, H, W, C], Bᵀ d B: element (p, t, c) at v + p·plane + (t - t0)·row + c; zeros from C to row.
  void (*winograd_input)(const Tiles& tiles, const float* x, long C, long t0, long t1, float* v, long plane, long row);
  /// Of products m laid out likewise (column n0 first), Aᵀ m A: output channels [n0, n1) of tiles [t0, t1).
  void (*winograd_output)(const Tiles& tiles, const float* m, long plane, long row, long t0, long t1, long n0, long n1,
                          const TileOutput& out);
  /// 3×3 alone: A dY Aᵀ of the gradient dy [B, H, W, K], laid out as by winograd_input().
  void (*winograd_gradient)(const Tiles& tiles, const float* dy, long K, long t0, long t1, float* v, long plane,
                            long row);
  /// 3×3 alone: dw [K, C, 3, 3] = scale · Gᵀ dU G for channels [c0, c1) and [k0, k1); element (p, c, k) of dU at
  /// du + p·plane + (c - c0)·row + k - k0.
  void (*winograd_weight_gradient)(const float* du, long plane, long row, long C, long c0, long c1, long k0, long k1,
                                   float scale, float* dw);

  /// sum[c], squares[c] += Σ (x - shift[c]), Σ (x - shift[c])².
  void (*moments)(const float* x, long pixels, long C, const float* shift, double* sum, double* squares);
  /// y = f(x·a + b)·factors; factors may be null.
  void (*norm_apply)(const float* x, float* y, long pixels, long C, const Affine& f, const float* factors);
  /// dz = dy·factors·f'(x·a + b), and sums[c] += Σ dz, products[c] += Σ dz·(x - mean[c])·rstd[c].
  void (*norm_backward)(const float* x, const float* dy, float* dz, long pixels, long C, const Affine& f,
                        const float* factors, const float* mean, const float* rstd, double* sums, double* products);
  /// dx = dz·a + x·p + q, in place of dz.
  void (*norm_gradient)(const float* x, float* dz, long pixels, long C, const float* a, const float* p, const float* q);
  /// 0 or `kept` for pixels [first, last) of an image: [last - first, C].
  void (*dropout_factors)(const DropoutBits& bits, long image_pixels, long C, long first, long last, float* factors);
  /// Words of Philox4x32-10 blocks first, first + 1, …: 4·blocks words. counter: words 1 to 3.
  void (*philox)(const std::uint32_t* key, const std::uint32_t* counter, std::uint32_t first, long blocks,
                 std::uint32_t* out);

  /// Box-Muller: words 2i and 2i + 1 give normal numbers 2i and 2i + 1; count even.
  void (*normal)(const std::uint32_t* words, long count, double* out);

  /// out = Σ of the terms, summed in float64.
  void (*combine)(const Scaled* terms, long count, long size, const Numbers& out);
  /// y = y·scale + add + residual·scale, in place; add and residual may be null.
  void (*epilogue)(float* y, long pixels, long C, const float* add, const float* residual, float scale);
  /// sums[c] += Σ dy·scale; scaled = dy·scale unless null.
  void (*scaled_sums)(const float* dy, long pixels, long C, float scale, float* scaled, float* sums);
  /// One row of the half image: factor · (sum of 2×2 pixels), from two rows of `width` pixels.
  void (*shrink)(const float* top, const float* bottom, long width, long C, float factor, float* out);
  /// Two rows of the double image from one row of `width` pixels: factor · copies.
  void (*grow)(const float* row, long width, long C, float factor, float* top, float* bottom);
  /// One row of the largest pixels of 3×3 windows, `stride` apart from column -padding on; rows: those of the windows, null beyond the image.
  void (*max_pool)(const float* const* rows, long width, long C, long stride, long padding, long out_width, float* out);
  /// Floats of scratch that the next two need.
  long (*attention_scratch)(long L, long d, bool backward);
  /// Queries [first, last).
  void (*attention)(const Attention& task, long first, long last, float* scratch);
  /// Gradient of qkv, laid out as it, from that of the result, laid out as `out`.
  void (*attention_backward)(const Attention& task, const float* dout, float* dqkv, float* scratch);

  double (*sum_of_squares)(const float* x, long size);
  /// Elements of the flat memory, all in one pass; `ema` copies with `ema_beta`.
  void (*adam)(float* p, const float* g, float* m, float* v, float* const* ema, const float* ema_beta, long copies,
               long size, const AdamTerms& terms);
};

/// Table of the best instruction set that this machine has.
const KernelTable& kernel_table();
/// Whether this machine multiplies bfloat16 twice as fast as float32 (AVX512-BF16), and many times as fast (AMX).
bool has_bf16();
bool has_bf16_tiles();
/// All tables that this machine can run, the best first (tests compare them).
const KernelTable* const* kernel_tables(long& count);
/// Makes another of them the one to use (tests).
void use_kernel_table(const KernelTable& table);

}  // namespace edmund::ops::cpu
