// The Winograd algorithm in float32.
#include "isa.h"
#include "winograd_loops.h"

namespace edmund::ops::cpu::EDMUND_ISA {

void winograd_input(const Tiles& tiles, const float* x, long C, const Range& t, const Planes& v) {
  with_tile(tiles.kind, [&]<typename A>(A) { input_of<A>(tiles, x, C, t, FloatRows{v}); });
}

void winograd_output(const Tiles& tiles, const ConstPlanes& m, const Range& t, const Range& n, float* y, long K,
                     const Epilogue& epilogue) {
  with_tile(tiles.kind, [&]<typename A>(A) { output_of<A>(tiles, m, t, n, y, K, epilogue); });
}

void winograd_filter(WinogradTile kind, const FilterWeight& weight, const Range& c, const Range& n,
                     const FilterPlanes& u) {
  with_tile(kind, [&]<typename A>(A) { filter_of<A>(weight, c, n, u); });
}

void winograd_gradient(const Tiles& tiles, const float* dy, long K, const Range& t, const Planes& v) {
  gradient_of(tiles, dy, K, t, FloatRows{v});
}

void winograd_filter_gradient(const ConstPlanes& du, const Range& c_range, const Range& k_range, long C, float scale,
                              float* dw) {
  const long plane = du.plane;
  for (long k = k_range.first; k < k_range.last; k += kWidth) {
    const long lanes = smaller(kWidth, k_range.last - k);
    // Gradients of kWidth channels of the result, and of as many input channels as one turn takes:
    // 9 taps each.
    for (long c = c_range.first; c < c_range.last; c += kWidth) {
      const long count = smaller(kWidth, c_range.last - c);
      float taps[9 * kWidth][kWidth];
      for (long n = 0; n < count; ++n) {
        const float* from = du.data + (c - c_range.first + n) * du.row + k - k_range.first;
        on_square<6, 3>(
            [](const Vec(&in)[6], Vec(&out)[3]) __attribute__((always_inline)) { F4x3::weight_gradient(in, out); },
            [&](int i, int j) __attribute__((always_inline)) { return load(from + (6 * i + j) * plane); },
            [&](int i, int j, Vec g) __attribute__((always_inline)) { store(taps[9 * n + 3 * i + j], g * scale); });
      }
      for (long i = 0; i < 9 * count; i += kWidth) {
        Vec turned[kWidth];
        // rows beyond 9·count hold what was there: not stored
        turned_lanes(taps[i], kWidth, kWidth, kWidth, turned);
        const long n = smaller(kWidth, 9 * count - i);
        for (long lane = 0; lane < lanes; ++lane) store(dw + ((k + lane) * C + c) * 9 + i, turned[lane], n);
      }
    }
  }
}

}  // namespace edmund::ops::cpu::EDMUND_ISA
