// Products of numbers rounded to bfloat16, and the transforms that round: bandwidth and
// multiplications are half of float32's where the processor has them, sums are float32's.
#include "attention_blocks.h"
#include "bf16_kernels.h"
#include "direct_loops.h"
#include "gemm_blocks.h"
#include "image_loops.h"
#include "winograd_loops.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

// Neighbouring channels in a pair.
struct ChannelPairs {
  PairPlanes planes;

  struct Row {
    Pair* data;
    long plane;
    EDMUND_INLINE void put(int p, long c, Vec value) const { store_halves(data + p * plane + c / 2, value); }
  };
  EDMUND_INLINE Row row(long n) const { return {planes.data + n * planes.row, planes.plane}; }
  EDMUND_INLINE long channels() const { return 2 * planes.row; }
};

// Neighbouring tiles in a pair.
struct TilePairs {
  PairPlanes planes;

  struct Row {
    Pair* data;
    long plane;
    bool second;
    EDMUND_INLINE void put(int p, long c, Vec value) const { put_half(data + p * plane + c, second, value); }
  };
  EDMUND_INLINE Row row(long n) const { return {planes.data + n / 2 * planes.row, planes.plane, n % 2 == 1}; }
  EDMUND_INLINE long channels() const { return planes.row; }
};

void pack_pairs(const float* b, long k, long n, long d_stride, long n_stride, Pair* packed) {
  for (long first = 0; first < n; first += kPanel, packed += (k + 1) / 2 * kPanel)
    for (long d = 0; d < k; ++d)
      for (long half = 0; half < kPanel; half += kWidth) {
        Vec column{};
        for (long j = 0; j < kWidth && first + half + j < n; ++j)
          column[j] = b[d * d_stride + (first + half + j) * n_stride];
        put_depth(packed + half, d, column);
      }
}

void rounded(const float* x, long C, Pair* to, long pairs) {
  for (long c = 0; c < 2 * pairs; c += kWidth) store_halves(to + c / 2, c < C ? load(x + c, C - c) : Vec{});
}
void rounded(const Bf16* x, long C, Pair* to, long pairs) {
  const auto* const from = reinterpret_cast<const LooseBits*>(x);
  long p = 0;
  for (; p + kWidth <= C / 2; p += kWidth) store(to + p, from[p / kWidth]);
  for (; p < pairs; ++p) to[p] = 2 * p < C ? x[2 * p] | static_cast<Pair>(x[2 * p + 1]) << 16 : 0;
}

void round_rows(const Activations& x, long rows, long C, const MatrixOf<Pair>& to) {
  with_numbers(x, [&](const auto* from) {
    for (long i = 0; i < rows; ++i) rounded(from + i * C, C, to.data + i * to.row, to.row);
  });
}

void pair_rows(const float* x, long rows, long C, const MatrixOf<Pair>& to) {
  for (long i = 0; i < rows; i += 2, x += 2 * C) {
    Pair* row = to.data + i / 2 * to.row;
    for (long c = 0; c < to.row; c += kWidth) {
      const Vec first = c < C ? load(x + c, C - c) : Vec{},
                second = c < C && i + 1 < rows ? load(x + C + c, C - c) : Vec{};
      store(row + c, bf16_bits(first) | bf16_bits(second) << 16);
    }
  }
}

void filter_pairs(WinogradTile kind, const FilterWeight& weight, const Range& c, const Range& n,
                  const PairFilterPlanes& u) {
  with_tile(kind, [&]<typename A>(A) { filter_of<A>(weight, c, n, u); });
}

void input_by_channels(const Tiles& tiles, const float* x, long C, const Range& t, const PairPlanes& v) {
  with_tile(tiles.kind, [&]<typename A>(A) { input_of<A>(tiles, x, C, t, ChannelPairs{v}); });
}

void input_by_tiles(const Tiles& tiles, const float* x, long C, const Range& t, const PairPlanes& v) {
  input_of<Square<F4x3>>(tiles, x, C, t, TilePairs{v});
}

void gradient_by_tiles(const Tiles& tiles, const float* dy, long K, const Range& t, const PairPlanes& v) {
  gradient_of(tiles, dy, K, t, TilePairs{v});
}

void product_of_pairs(const ConstPairMatrix& a, const GemmSize& size, const Pair* packed, long block,
                      const MutableActivations& y, long row, const Epilogue& epilogue) {
  product<Pair>(a, size, packed, block, {static_cast<float*>(y.data), row}, epilogue);
}

void mixed_moments(const Activations& x, long pixels, long C, const Activations& shift, double* sum, double* squares) {
  with_numbers(x, [&]<typename X>(const X* from) {
    moments_of(from, pixels, C, static_cast<const X*>(shift.data), sum, squares);
  });
}

void mixed_apply(const Activations& x, const MutableActivations& y, long pixels, long C, const Affine& f,
                 const float* factors) {
  with_numbers(
      x, [&](const auto* from) { with_numbers(y, [&](auto* to) { norm_apply_of(from, to, pixels, C, f, factors); }); });
}

void mixed_backward(const Activations& x, const Activations& dy, const AffineGradient& task) {
  with_numbers(x, [&](const auto* from) {
    with_numbers(dy, [&](const auto* gradient) { norm_backward_of(from, gradient, task); });
  });
}

void mixed_gradient(const Activations& x, const float* dz, const MutableActivations& dx, long pixels, long C,
                    const float* a, const float* p, const float* q) {
  with_numbers(
      x, [&]<typename X>(const X* from) { norm_gradient_of(from, dz, static_cast<X*>(dx.data), pixels, C, a, p, q); });
}

void bf16_sums(const Bf16* dy, long pixels, long C, float scale, float* sums) {
  scaled_sums_of(dy, pixels, C, scale, static_cast<Bf16*>(nullptr), sums);
}

constexpr Bf16Kernels kPairs = {
    .name = "pairs",
    .panel = kPanel,
    .pack = pack_pairs,
    .round_rows = round_rows,
    .pair_rows = pair_rows,
    .gemm = product_of_pairs,
    .gemm_plane = product_plane<Pair>,
    .gemm_transposed = product_transposed<Pair>,
    .winograd_filter = filter_pairs,
    .winograd_input = input_by_channels,
    .winograd_input_by_tiles = input_by_tiles,
    .winograd_gradient_by_tiles = gradient_by_tiles,
    .direct_filter = nullptr,
    .direct = nullptr,
    .turn_rows = nullptr,
    .pair_pixels = nullptr,
    .direct_gradient = nullptr,
    .direct_filter_gradient = nullptr,
    .attention_scratch = nullptr,
    .attention = nullptr,
    .attention_backward = nullptr,
    .moments = nullptr,
    .norm_apply = nullptr,
    .norm_backward = nullptr,
    .norm_gradient = nullptr,
    .sums = nullptr,
};

constexpr Bf16Kernels with_blocks(Bf16Kernels kernels) {
  kernels.name = "blocks";
  kernels.gemm = product_by_blocks;
  kernels.direct_filter = direct_filter;
  kernels.direct = direct;
  kernels.turn_rows = turn_rows;
  kernels.pair_pixels = pair_pixels;
  kernels.direct_gradient = direct_gradient;
  kernels.direct_filter_gradient = direct_filter_gradient;
  kernels.attention_scratch = blocks_attention_scratch;
  kernels.attention = blocks_attention;
  kernels.attention_backward = blocks_attention_backward;
  kernels.moments = mixed_moments;
  kernels.norm_apply = mixed_apply;
  kernels.norm_backward = mixed_backward;
  kernels.norm_gradient = mixed_gradient;
  kernels.sums = bf16_sums;
  return kernels;
}

}  // namespace

// Nothing of this file runs before it is chosen: the processor may not know its instructions.
extern const Bf16Kernels kBf16, kBf16Direct;
constinit const Bf16Kernels kBf16 = kPairs, kBf16Direct = with_blocks(kPairs);

}  // namespace edmund::ops::cpu::EDMUND_ISA
