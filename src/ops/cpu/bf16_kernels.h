#pragma once

#include "kernels.h"

/// Kernels that multiply numbers rounded to bfloat16 and sum in float32. Two neighbours make a
/// pair, and depths of packed matrices and rows are counted in pairs; an odd last number has a zero
/// beside it.
namespace edmund::ops::cpu {

/// Two bfloat16 numbers, the first in the lower half.
using Pair = std::uint32_t;
using PairMatrix = MatrixOf<Pair>;
using ConstPairMatrix = MatrixOf<const Pair>;
using PairPlanes = PlanesOf<Pair>;
using PairFilterPlanes = FilterPlanesOf<Pair>;

/// One bfloat16 number.
using Bf16 = std::uint16_t;

/// Numbers of channels-last images: float32, or bfloat16 where an operator left them so.
struct Activations {
  const void* data = nullptr;
  bool is_bf16 = false;

  Activations from(long first) const {
    return is_bf16 ? Activations{static_cast<const Bf16*>(data) + first, true}
                   : Activations{static_cast<const float*>(data) + first, false};
  }
};
struct MutableActivations {
  void* data = nullptr;
  bool is_bf16 = false;

  MutableActivations from(long first) const {
    return is_bf16 ? MutableActivations{static_cast<Bf16*>(data) + first, true}
                   : MutableActivations{static_cast<float*>(data) + first, false};
  }
};

/// What the direct convolution works on at once: pixels of a result or outputs of a gradient, by a
/// panel of columns, and pairs of a depth.
constexpr long kBlockRows = 16, kBlockDepth = 16;

/// Consecutive pixels of a result, at most kBlockRows.
struct PixelBlock {
  long from = 0;              // where the input of the first tap begins for the first of them
  long pixel = 0, count = 0;  // the first, of all images
  long image = 0;
};
/// y = Σ over the taps of a filter of rows times a matrix each, then the epilogue.
struct DirectProduct {
  // of input pixels; kBlockRows of them can be read from each block on
  ConstPairMatrix rows;
  const long* taps = nullptr;  // where the input of each begins, from that of the first
  long tap_count = 0;
  const Pair* packed = nullptr;  // panels of tap t at packed + t·plane
  long plane = 0, depth = 0;     // pairs; depth: of a tap, whole kBlockDepth
  const PixelBlock* blocks = nullptr;
  long block_count = 0;
  Range columns = {};  // from a multiple of panel on
};
/// Σ over pixels of dyᵀ times x, for each tap of a filter of across × across.
struct DirectGradient {
  ConstPairMatrix dy;          // row k: its pixels in pairs, image after image
  long images = 0, depth = 0;  // pairs of an image, whole kBlockDepth
  const Pair* x = nullptr;     // a panel of channels for each pair of pixels
  long x_image = 0;            // from image to image
  const long* taps = nullptr;  // where the pixels of each begin
  long across = 0;
  Range k = {};      // rows of dy, which can be read, and sums written, up to whole kBlockRows
  Planes sums = {};  // of tap t and row k.first + i at data + t·plane + i·panel
  bool accumulate = false;
};

struct Bf16Kernels {
  const char* name;
  long panel;  // as of the table that it is used with

  /// Element (d, j) of B in the half d mod 2 of pair d/2.
  void (*pack)(const float* b, long k, long n, long d_stride, long n_stride, Pair* packed);
  /// Rows of C numbers in pairs of neighbours, zeros up to to.row; an even C of bfloat16.
  void (*round_rows)(const Activations& x, long rows, long C, const PairMatrix& to);
  /// Rows of C numbers, two in a row of pairs.
  void (*pair_rows)(const float* x, long rows, long C, const PairMatrix& to);
  /// size.k counts pairs. Rows of A can be read up to whole kBlockRows. Rows of y are `row` numbers
  /// apart; bfloat16 where there is a direct convolution and size.k is whole kBlockDepth.
  void (*gemm)(const ConstPairMatrix& a, const GemmSize& size, const Pair* packed, long block,
               const MutableActivations& y, long row, const Epilogue& epilogue);
  void (*gemm_plane)(const ConstPairMatrix& a, const GemmSize& size, const Pair* packed, const Matrix& c,
                     bool accumulate);
  void (*gemm_transposed)(const ConstPairMatrix& a, const ConstPairMatrix& b, const GemmSize& size, const Matrix& c,
                          bool accumulate);
  /// `c` from an even channel on; u.depth counts pairs.
  void (*winograd_filter)(WinogradTile kind, const FilterWeight& weight, const Range& c, const Range& n,
                          const PairFilterPlanes& u);
  /// Rows of pairs of neighbouring channels.
  void (*winograd_input)(const Tiles& tiles, const float* x, long C, const Range& t, const PairPlanes& v);
  /// Rows of pairs of neighbouring tiles, of `t` the first and the second, and so on.
  void (*winograd_input_by_tiles)(const Tiles& tiles, const float* x, long C, const Range& t, const PairPlanes& v);
  void (*winograd_gradient_by_tiles)(const Tiles& tiles, const float* dy, long K, const Range& t, const PairPlanes& v);

  /// The direct convolution of 3×3 and what belongs to it, for processors that multiply whole
  /// blocks; null, this and all that follow, where the Winograd algorithm is faster. A plane of the
  /// filter for each tap.
  void (*direct_filter)(const FilterWeight& weight, const Range& c, const Range& n, const PairFilterPlanes& u);
  /// y [pixels, K]; with a residual float32.
  void (*direct)(const DirectProduct& task, const MutableActivations& y, long K, const Epilogue& epilogue);
  /// Row p and channel c.first + i of x [rows, C] in the half p mod 2 of pair p/2 of row i; zeros
  /// up to whole kBlockRows.
  void (*turn_rows)(const Activations& x, long rows, long C, const Range& c, const PairMatrix& to);
  /// Pixels 2i + shift and 2i + 1 + shift of a row of W pixels in row i of pairs, zeros beyond the
  /// row: `pairs` rows, channels `c` in a panel.
  void (*pair_pixels)(const Activations& x, long W, long C, const Range& c, long shift, long pairs, Pair* to);
  void (*direct_gradient)(const DirectGradient& task);
  /// dw [K, C, taps] = scale · sums, for the channels and outputs which column 0 and row 0 of the
  /// sums begin with.
  void (*direct_filter_gradient)(const ConstPlanes& sums, long taps, const Range& c, const Range& k, long C,
                                 float scale, float* dw);

  /// As KernelTable's.
  long (*attention_scratch)(long L, long d, bool backward);
  void (*attention)(const Attention& task, const Range& queries, float* scratch);
  void (*attention_backward)(const Attention& task, const float* dout, float* dqkv, float* scratch);

  /// Of images that are bfloat16 on either side, what KernelTable's do of float32.
  void (*moments)(const Activations& x, long pixels, long C, const Activations& shift, double* sum, double* squares);
  void (*norm_apply)(const Activations& x, const MutableActivations& y, long pixels, long C, const Affine& f,
                     const float* factors);
  void (*norm_backward)(const Activations& x, const Activations& dy, const AffineGradient& task);
  /// dx as x; it may be dz.
  void (*norm_gradient)(const Activations& x, const float* dz, const MutableActivations& dx, long pixels, long C,
                        const float* a, const float* p, const float* q);
  void (*sums)(const Bf16* dy, long pixels, long C, float scale, float* sums);
};

/// What multiplies bfloat16 beside kernel_table(); null where float32 is as fast.
const Bf16Kernels* bf16_kernels();
/// Whether this machine multiplies bfloat16 twice as fast as float32 (AVX512-BF16), and blocks of
/// it many times as fast (AMX, which the system has to permit).
bool has_bf16();
bool has_bf16_tiles();

/// Kernels and the table that they are used with.
struct Bf16Choice {
  const KernelTable* table;
  const Bf16Kernels* kernels;
};
/// All that this machine can run; the last ones, in `portable` code, round as the others do (tests
/// compare them).
const Bf16Choice* bf16_choices(long& count);
/// Makes them the ones to use (tests); null: as before.
void use_bf16_kernels(const Bf16Kernels* kernels);

}  // namespace edmund::ops::cpu
