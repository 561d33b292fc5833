// Passes over rows: the tokens of a transformer, the pixels of an image, the filters of a weight.
#include "isa.h"
#include "vector.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

// The first n numbers of a vector, zeros after them.
EDMUND_INLINE Vec first_of(Vec v, long n) {
  if (n >= kWidth) return v;
  for (long i = 0; i < kWidth; ++i) v[i] = i < n ? v[i] : 0.0F;
  return v;
}

EDMUND_INLINE float sum_of(Vec v) {
  float sum = 0.0F;
  for (long i = 0; i < kWidth; ++i) sum += v[i];
  return sum;
}

// Σ f(c, n) over a row; f gives zeros beyond the n numbers that it has.
template <typename F>
EDMUND_INLINE float row_sum(long C, const F& f) {
  Vec sum{};
  for (long c = 0; c < C; c += kWidth) sum += f(c, C - c);
  return sum_of(sum);
}

constexpr float kGelu = 1.5957691216F, kCube = 0.044715F;  // 2·√(2/π)
constexpr float kSiluDeviation = 0.596F;
constexpr float kUnitEps = 1e-4F;
// rows summed before they join the others: sums of thousands lose fewer digits
constexpr long kChunk = 64;

// For each of P interleaved parts of a row, number i is of part i mod P: Σ a·b.
template <int P>
EDMUND_INLINE void part_sums(const float* a, const float* b, long size, float (&sums)[P]) {
  Vec acc[P] = {};
  long c = 0;
  for (; c + P * kWidth <= size; c += P * kWidth)
    for (int j = 0; j < P; ++j) acc[j] += load(a + c + j * kWidth) * load(b + c + j * kWidth);
  for (float& sum : sums) sum = 0.0F;
  for (int j = 0; j < P; ++j)
    for (long lane = 0; lane < kWidth; ++lane) sums[(j * kWidth + lane) % P] += acc[j][lane];
  for (; c < size; ++c) sums[c % P] += a[c] * b[c];
}

// out = a·of_a + b·of_b with the factors of each number's part; b may be null.
template <int P>
EDMUND_INLINE void by_parts(const float* a, const float* b, long size, const float (&of_a)[P], const float (&of_b)[P],
                            float* out) {
  Vec left[P], right[P];
  for (int j = 0; j < P; ++j)
    for (long lane = 0; lane < kWidth; ++lane) {
      left[j][lane] = of_a[(j * kWidth + lane) % P];
      right[j][lane] = of_b[(j * kWidth + lane) % P];
    }
  long c = 0;
  for (; c + P * kWidth <= size; c += P * kWidth)
    for (int j = 0; j < P; ++j) {
      Vec v = load(a + c + j * kWidth) * left[j];
      if (b != nullptr) v += load(b + c + j * kWidth) * right[j];
      store(out + c + j * kWidth, v);
    }
  for (; c < size; ++c) out[c] = a[c] * of_a[c % P] + (b != nullptr ? b[c] * of_b[c % P] : 0.0F);
}

template <int P>
void unit_parts(const UnitRows& t) {
  const float per_root = 1.0F / __builtin_sqrtf(static_cast<float>(t.C));
  const long size = P * t.C;
  for (long i = 0; i < t.rows; ++i) {
    const float* x = t.x + i * size;
    float squares[P], factors[P];
    part_sums<P>(x, x, size, squares);
    for (int p = 0; p < P; ++p) factors[p] = t.gain / (kUnitEps + __builtin_sqrtf(squares[p]) * per_root);
    by_parts<P>(x, nullptr, size, factors, factors, t.y + i * size);
  }
}

template <int P>
void unit_parts_backward(const UnitRows& t, const float* dy) {
  const float per_root = 1.0F / __builtin_sqrtf(static_cast<float>(t.C));
  const long size = P * t.C;
  for (long i = 0; i < t.rows; ++i) {
    const float *x = t.x + i * size, *d = dy + i * size;
    float squares[P], products[P], of_d[P], of_x[P];
    part_sums<P>(x, x, size, squares);
    part_sums<P>(x, d, size, products);
    for (int p = 0; p < P; ++p) {
      const float r = __builtin_sqrtf(squares[p]), n = kUnitEps + r * per_root;
      of_d[p] = t.gain / n;
      of_x[p] = r > 0.0F ? -of_d[p] * products[p] * per_root / (r * n) : 0.0F;
    }
    by_parts<P>(d, x, size, of_d, of_x, t.y + i * size);
  }
}

}  // namespace

void row_norm(const RowNorm& t) {
  for (long i = 0; i < t.rows; ++i) {
    const float* x = t.x + i * t.C;
    float* y = t.y + i * t.C;
    const auto count = static_cast<float>(t.C);
    const float mean = row_sum(t.C, [&](long c, long n) { return load(x + c, n); }) / count;
    const float variance = row_sum(t.C,
                                   [&](long c, long n) {
                                     const Vec d = first_of(load(x + c, n) - mean, n);
                                     return d * d;
                                   }) /
                           count;
    const float rstd = 1.0F / __builtin_sqrtf(variance + t.eps);
    for (long c = 0; c < t.C; c += kWidth) {
      const long n = t.C - c;
      Vec v = (load(x + c, n) - mean) * rstd;
      if (t.scale != nullptr) v = v * (1.0F + load(t.scale + c, n)) + load(t.shift + c, n);
      store(y + c, v, n);
    }
    if (t.mean != nullptr) t.mean[i] = mean, t.rstd[i] = rstd;
  }
}

void row_norm_backward(const RowNorm& t, const float* dy, float* dscale, float* dshift) {
  for (long i = 0; i < t.rows; ++i) {
    const float *x = t.x + i * t.C, *d = dy + i * t.C;
    const float mean = t.mean[i], rstd = t.rstd[i];
    const auto count = static_cast<float>(t.C);
    Vec sum{}, product{};
    for (long c = 0; c < t.C; c += kWidth) {
      const long n = t.C - c;
      const Vec of_y = load(d + c, n), unit = first_of((load(x + c, n) - mean) * rstd, n);
      const Vec of_unit = t.scale != nullptr ? of_y * (1.0F + load(t.scale + c, n)) : of_y;
      sum += of_unit;
      product += of_unit * unit;
      if (dscale != nullptr) {
        store(dscale + c, load(dscale + c, n) + of_y * unit, n);
        store(dshift + c, load(dshift + c, n) + of_y, n);
      }
    }
    const float a = sum_of(sum) / count, b = sum_of(product) / count;
    for (long c = 0; c < t.C; c += kWidth) {
      const long n = t.C - c;
      const Vec of_y = load(d + c, n), unit = (load(x + c, n) - mean) * rstd;
      const Vec of_unit = t.scale != nullptr ? of_y * (1.0F + load(t.scale + c, n)) : of_y;
      store(t.y + i * t.C + c, (of_unit - a - unit * b) * rstd, n);
    }
  }
}

// x·Φ(x) ≈ x/(1 + e^(-z)), z = 2·√(2/π)·(x + 0.044715·x³): the sigmoid of twice the tanh's
// argument.
void gelu(const float* x, float* y, long size) {
  for (long i = 0; i < size; i += kWidth) {
    const Vec v = load(x + i, size - i);
    store(y + i, v * sigmoid(kGelu * (v + kCube * v * v * v)), size - i);
  }
}

void gelu_backward(const float* x, const float* dy, float* dx, long size) {
  for (long i = 0; i < size; i += kWidth) {
    const long n = size - i;
    const Vec v = load(x + i, n), s = sigmoid(kGelu * (v + kCube * v * v * v));
    const Vec rate = kGelu * (1.0F + (3.0F * kCube) * v * v);
    store(dx + i, load(dy + i, n) * (s + v * s * (1.0F - s) * rate), n);
  }
}

void gated(const float* h, const float* x, const float* gate, float* y, long rows, long C) {
  for (long i = 0; i < rows; ++i, h += C, x += C, y += C)
    for (long c = 0; c < C; c += kWidth) {
      const long n = C - c;
      store(y + c, load(h + c, n) + load(gate + c, n) * load(x + c, n), n);
    }
}

void gated_backward(const float* x, const float* gate, const float* dy, float* dx, float* dgate, long rows, long C) {
  for (long begin = 0; begin < rows; begin += kChunk)
    for (long c = 0; c < C; c += kWidth) {
      const long n = C - c, end = smaller(begin + kChunk, rows);
      const Vec factor = load(gate + c, n);
      Vec sum{};
      for (long i = begin; i < end; ++i) {
        const Vec d = load(dy + i * C + c, n);
        sum += d * load(x + i * C + c, n);
        store(dx + i * C + c, d * factor, n);
      }
      store(dgate + c, load(dgate + c, n) + sum, n);
    }
}

void blend(const float* a, const float* b, float of_a, float of_b, float* y, long size) {
  for (long i = 0; i < size; i += kWidth) {
    const long n = size - i;
    Vec v = load(a + i, n) * of_a;
    if (b != nullptr) v += load(b + i, n) * of_b;
    store(y + i, v, n);
  }
}

void unit_rows(const UnitRows& task) { task.parts == 3 ? unit_parts<3>(task) : unit_parts<1>(task); }

void unit_rows_backward(const UnitRows& task, const float* dy) {
  task.parts == 3 ? unit_parts_backward<3>(task, dy) : unit_parts_backward<1>(task, dy);
}

void unit_silu(const float* x, const float* scale, float* y, long rows, long C) {
  for (long i = 0; i < rows; ++i, x += C, y += C)
    for (long c = 0; c < C; c += kWidth) {
      const long n = C - c;
      Vec z = load(x + c, n);
      if (scale != nullptr) z *= load(scale + c, n);
      store(y + c, z * sigmoid(z) * (1.0F / kSiluDeviation), n);
    }
}

void unit_silu_backward(const float* x, const float* scale, const float* dy, float* dx, float* dscale, long rows,
                        long C) {
  for (long begin = 0; begin < rows; begin += kChunk)
    for (long c = 0; c < C; c += kWidth) {
      const long n = C - c, end = smaller(begin + kChunk, rows);
      const Vec factor = scale != nullptr ? load(scale + c, n) : splat(1.0F);
      Vec sum{};
      for (long i = begin; i < end; ++i) {
        const Vec in = load(x + i * C + c, n), z = in * factor, g = sigmoid(z);
        const Vec dz = load(dy + i * C + c, n) * (g + g * (z - z * g)) * (1.0F / kSiluDeviation);
        sum += dz * in;
        store(dx + i * C + c, dz * factor, n);
      }
      if (dscale != nullptr) store(dscale + c, load(dscale + c, n) + sum, n);
    }
}

}  // namespace edmund::ops::cpu::EDMUND_ISA
