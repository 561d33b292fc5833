#include "edmund/ops/ops.h"
#include "operation.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <cmath>
#include <vector>

using namespace edmund;
using testing::pattern;

namespace {

// The sum that defines a convolution with stride 1, term by term.
Tensor plain_conv(const Tensor& x, const Tensor& w, std::int64_t pad, std::int64_t x_pad = -1) {
  if (x_pad < 0) x_pad = pad;
  const auto B = x.size(0), C = x.size(1), K = w.size(0), R = w.size(2), S = w.size(3), H = x.size(2) + 2 * pad - R + 1,
             W = x.size(3) + 2 * x_pad - S + 1;
  Tensor out = at::zeros({B, K, H, W}, at::kDouble);
  const auto in = x.accessor<double, 4>(), f = w.accessor<double, 4>();
  auto y = out.accessor<double, 4>();
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t k = 0; k < K; ++k)
      for (std::int64_t i = 0; i < H; ++i)
        for (std::int64_t j = 0; j < W; ++j)
          for (std::int64_t c = 0; c < C; ++c)
            for (std::int64_t r = 0; r < R; ++r)
              for (std::int64_t s = 0; s < S; ++s) {
                const auto row = i + r - pad, column = j + s - x_pad;
                if (row >= 0 && row < x.size(2) && column >= 0 && column < x.size(3))
                  y[b][k][i][j] += in[b][c][row][column] * f[k][c][r][s];
              }
  return out;
}

double gap(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

// Pixels of one row after `resample`, by the definition: zeros in between (up), filter, every
// second value (down).
std::vector<double> plain_row(std::vector<double> x, bool up, std::vector<double> taps, std::int64_t pad) {
  double sum = 0;
  for (const double tap : taps) sum += tap;
  const auto T = static_cast<std::int64_t>(taps.size()), n = static_cast<std::int64_t>(x.size());
  std::vector<double> out;
  const std::int64_t size = up ? (n - 1) * 2 - 2 * pad + T : (n + 2 * pad - T) / 2 + 1;
  for (std::int64_t o = 0; o < size; ++o) {
    double value = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t tap = up ? o + pad - 2 * i : i + pad - 2 * o;
      if (tap >= 0 && tap < T)
        value += x[static_cast<std::size_t>(i)] * taps[static_cast<std::size_t>(tap)] / sum * (up ? 2 : 1);
    }
    out.push_back(value);
  }
  return out;
}

}  // namespace

TEST_CASE("conv2d is the plain sum with bias, per-sample bias, residual and scale", "[ops]") {
  const std::int64_t R = GENERATE(1, 3, 5);
  const Tensor x = pattern({2, 3, 5, 4}), w = pattern({4, 3, R, R}, 1.0), bias = pattern({4}, 2.0),
               each = pattern({2, 4}, 3.0);
  const Tensor residual = pattern({2, 4, 5, 4}, 4.0), plain = plain_conv(x, w, R / 2);
  CHECK(gap(ops::conv2d(x, {.weight = w}), plain) < 1e-13);
  const Tensor all = (plain + bias.reshape({1, 4, 1, 1}) + each.reshape({2, 4, 1, 1}) + residual) * 0.5;
  CHECK(gap(ops::conv2d(x, {.weight = w, .bias = bias, .per_sample = each, .residual = residual, .scale = 0.5}), all) <
        1e-13);
  CHECK(gap(ops::conv2d(x, {.weight = w, .padding = 3}), plain_conv(x, w, 3)) < 1e-13);
  CHECK(gap(ops::conv2d(x.contiguous(at::MemoryFormat::ChannelsLast), {.weight = w}), plain) < 1e-13);
}

TEST_CASE("conv2d takes filters that are not square and cuts off below zero", "[ops]") {
  const Tensor x = pattern({2, 3, 5, 9}), w = pattern({4, 3, 1, 7}, 1.0), turned = w.transpose(2, 3).contiguous();
  const Tensor plain = plain_conv(x, w, 0, 3);
  CHECK(gap(ops::conv2d(x, {.weight = w}), plain) < 1e-13);
  CHECK(gap(ops::conv2d(x.transpose(2, 3), {.weight = turned}), plain.transpose(2, 3)) < 1e-13);
  CHECK(gap(ops::conv2d(x, {.weight = w, .scale = -2.0, .padding = 0, .relu = true}),
            (plain_conv(x, w, 0, 0) * -2.0).clamp_min(0.0)) < 1e-13);
}

TEST_CASE("resample filters each row and column by the definition", "[ops]") {
  const auto taps = GENERATE(std::vector<double>{1, 1}, std::vector<double>{1, 3, 3, 1}, std::vector<double>{1, 2},
                             std::vector<double>{1, 2, 3, 4, 5, 6});
  const bool up = GENERATE(true, false);
  const auto direction = up ? ops::Resample::kUp : ops::Resample::kDown;
  const auto usual = (static_cast<std::int64_t>(taps.size()) - 1) / 2;
  for (const std::int64_t pad : {usual, std::int64_t{0}}) {
    if (!up && 8 + 2 * pad < static_cast<std::int64_t>(taps.size())) continue;
    // An image that is a product of a row and a column is filtered row by row and column by column.
    const Tensor row = pattern({8}, 0.4), column = pattern({6}, 1.4);
    const Tensor x = at::outer(column, row).reshape({1, 1, 6, 8}).repeat({2, 3, 1, 1});
    const auto r = plain_row({row.data_ptr<double>(), row.data_ptr<double>() + 8}, up, taps, pad);
    const auto c = plain_row({column.data_ptr<double>(), column.data_ptr<double>() + 6}, up, taps, pad);
    const Tensor expected = at::outer(at::tensor(c, at::kDouble), at::tensor(r, at::kDouble));
    const Tensor out = ops::resample(x, direction, taps, pad);
    REQUIRE(out.sizes() == at::IntArrayRef{2, 3, expected.size(0), expected.size(1)});
    CHECK(gap(out, expected) < 1e-6);  // the filter is stored in float32
    if (pad == usual) CHECK(out.size(2) == (up ? 12 : 3));
  }
}

TEST_CASE("The box filter's short cut equals the general filter", "[ops]") {
  const Tensor x = pattern({2, 3, 6, 4});
  const Tensor f = ops::resample_filter({1, 1}).to(at::kDouble).expand({3, 1, 2, 2});
  CHECK(gap(ops::resample(x, ops::Resample::kDown, {1, 1}),
            at::conv2d(x, f, std::nullopt, 2, at::IntArrayRef{0, 0}, 1, 3)) < 1e-15);
  CHECK(gap(ops::resample(x, ops::Resample::kUp, {1, 1}), at::conv_transpose2d(x, f * 4, std::nullopt, 2, 0, 0, 3)) ==
        0.0);
}

TEST_CASE("resample refuses an odd number of taps", "[ops]") {
  CHECK_THROWS(ops::resample(pattern({1, 1, 4, 4}), ops::Resample::kDown, {1, 2, 1}));
}

TEST_CASE("linear is x·weightᵀ + bias", "[ops]") {
  const Tensor x = pattern({3, 4}), w = pattern({2, 4}, 1.0), b = pattern({2}, 2.0);
  CHECK(gap(ops::linear(x, w, b), at::matmul(x, w.t()) + b) < 1e-14);
  CHECK(gap(ops::linear(x, w, {}), at::matmul(x, w.t())) < 1e-14);
  CHECK_THROWS(ops::linear(x, pattern({2, 3}), {}));
}
