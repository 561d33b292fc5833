#pragma once

// Matrix products whose sums stay in registers, kRows × kPanel of them at once, of numbers of any
// kind that load() and add_product() know.
#include "bf16_kernels.h"
#include "epilogue.h"
#include "vector.h"

namespace edmund::ops::cpu::EDMUND_ISA {
namespace {

constexpr long kAhead = 16;  // rows of the packed matrix that are asked for before they are needed

template <typename Number>
struct Sums {
  const Number* a;
  long a_row, a_step;  // element (row i, depth d) at a + i·a_row + d·a_step
  const Number* b;     // rows of kPanel (or kWidth) columns, ldb apart
  long ldb, depth;
  // what is asked for meanwhile, a cache line for each step of the depth
  const Number* next = nullptr;
};

// acc = A·B for R rows and N vectors of columns. The compiler unrolls all but the outermost loop,
// so that acc lies in registers.
template <int R, int N, bool kNext = false, typename Number>
EDMUND_INLINE void multiply(const Sums<Number>& s, Vec (&acc)[R][N]) {
  const Number *a = s.a, *b = s.b;
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < N; ++j) acc[i][j] = Vec{};
  for (long d = 0; d < s.depth; ++d, a += s.a_step, b += s.ldb) {
    // Panels come from beyond the second-level cache, whose own reading ahead ends with each page.
    __builtin_prefetch(b + kAhead * s.ldb);
    if constexpr (N > 1) __builtin_prefetch(b + kAhead * s.ldb + kWidth);
    if constexpr (kNext) __builtin_prefetch(s.next + 16 * d);
    decltype(load(b)) column[N];
#pragma GCC unroll 2
    for (int j = 0; j < N; ++j) column[j] = load(b + j * kWidth);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const Number x = a[i * s.a_row];
#pragma GCC unroll 2
      for (int j = 0; j < N; ++j) add_product(acc[i][j], x, column[j]);
    }
  }
}

// Blocks of y at `y`, of its residual likewise.
template <int R, int N, typename Number>
void block_output(const Sums<Number>& s, const Epilogue& e, const Matrix& y, long columns) {
  Vec acc[R][N];
  multiply<R, N, true>(s, acc);
#pragma GCC unroll 2
  for (int j = 0; j < N; ++j) {
    const long at = j * kWidth, n = columns - at;
    if (n <= 0) break;
    const Vec add = e.add != nullptr ? load(e.add + at, n) : Vec{};
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) store(y.data + i * y.row + at, finished(e, acc[i][j], add, i * y.row + at, n), n);
  }
}

template <int R, int N, typename Number>
void block_plain(const Sums<Number>& s, float* c, long ldc, bool accumulate) {
  Vec acc[R][N];
  multiply(s, acc);
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < N; ++j) {
      float* to = c + i * ldc + j * kWidth;
      store(to, accumulate ? load(to) + acc[i][j] : acc[i][j]);
    }
}

template <int N>
struct Rows {
  // Calls the kernel for exactly `rows` rows, 1 to kRows.
  template <int R = kRows, typename Number>
  static void output(long rows, const Sums<Number>& s, const Epilogue& e, const Matrix& y, long columns) {
    if (rows == R) return block_output<R, N>(s, e, y, columns);
    if constexpr (R > 1) output<R - 1>(rows, s, e, y, columns);
  }
  template <int R = kRows, typename Number>
  static void plain(long rows, const Sums<Number>& s, float* c, long ldc, bool accumulate) {
    if (rows == R) return block_plain<R, N>(s, c, ldc, accumulate);
    if constexpr (R > 1) plain<R - 1>(rows, s, c, ldc, accumulate);
  }
};

// Rows of one block, so that all blocks are about as high.
EDMUND_INLINE long block_rows(long rows) {
  const long blocks = (rows + kRows - 1) / kRows;
  return (rows + blocks - 1) / blocks;
}

/// KernelTable::gemm, gemm_plane and gemm_transposed.
template <typename Number>
void product(const MatrixOf<const Number>& a, const GemmSize& size, const Number* packed, long block, const Matrix& y,
             const Epilogue& epilogue) {
  const auto [rows, columns, depth] = size;
  const Number* const from = a.data;
  const float *const add = epilogue.add, *const residual = epilogue.residual;
  const long lda = a.row;
  // All panels pass while the rows of a block stay in the second-level cache.
  const long step = rows > 0 ? block_rows(rows) : 1, most = block / depth / step * step,
             high = most > step ? most : step;
  for (long first = 0; first < rows; first += high) {
    const long end = smaller(first + high, rows);
    const Number* panel = packed;
    for (long n = 0; n < columns; n += kPanel, panel += depth * kPanel) {
      const long width = smaller(columns - n, kPanel);
      for (long i = first; i < end; i += step) {
        const long height = smaller(end - i, step);
        // The first panel meets each row for the first time.
        const Sums<Number> sums{
            from + i * lda, lda, 1, panel, kPanel, depth, from + (n == 0 && i + step < rows ? i + step : i) * lda};
        const long at = i * y.row + n;
        const Epilogue part{add != nullptr ? add + n : nullptr, 0, residual != nullptr ? residual + at : nullptr,
                            epilogue.scale, epilogue.relu};
        const Matrix to{y.data + at, y.row};
        if (width > kWidth) {
          Rows<2>::output(height, sums, part, to, width);
        } else {
          Rows<1>::output(height, sums, part, to, width);
        }
      }
    }
  }
}

template <typename Number>
void product_plane(const MatrixOf<const Number>& a, const GemmSize& size, const Number* packed, const Matrix& c,
                   bool accumulate) {
  const auto [rows, columns, depth] = size;
  const auto [from, lda] = a;
  const auto [to, ldc] = c;
  const long step = block_rows(rows);
  for (long n = 0; n < columns; n += kPanel, packed += depth * kPanel)
    for (long i = 0; i < rows; i += step) {
      const Sums<Number> sums{from + i * lda, lda, 1, packed, kPanel, depth};
      if (columns - n > kWidth) {
        Rows<2>::plain(smaller(rows - i, step), sums, to + i * ldc + n, ldc, accumulate);
      } else {
        Rows<1>::plain(smaller(rows - i, step), sums, to + i * ldc + n, ldc, accumulate);
      }
    }
}

template <typename Number>
void product_transposed(const MatrixOf<const Number>& a, const MatrixOf<const Number>& b, const GemmSize& size,
                        const Matrix& c, bool accumulate) {
  const auto [m, n, depth] = size;
  const auto [left, lda] = a;
  const auto [right, ldb] = b;
  const auto [to, ldc] = c;
  const long step = m > 0 ? block_rows(m) : 1;
  for (long j = 0; j < n; j += kPanel)
    for (long i = 0; i < m; i += step) {
      const Sums<Number> sums{left + i, 1, lda, right + j, ldb, depth};
      if (n - j > kWidth) {
        Rows<2>::plain(smaller(m - i, step), sums, to + i * ldc + j, ldc, accumulate);
      } else {
        Rows<1>::plain(smaller(m - i, step), sums, to + i * ldc + j, ldc, accumulate);
      }
    }
}

}  // namespace
}  // namespace edmund::ops::cpu::EDMUND_ISA
