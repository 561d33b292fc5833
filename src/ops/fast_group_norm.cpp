// group_norm_silu on the CPU: one pass for the statistics, one for everything that follows;
// backward likewise. Dropout's factors are drawn again in backward rather than stored.
#include "cpu/kernels.h"
#include "edmund/core/philox.h"
#include "fast.h"
#include "group_norm_function.h"
#include "share_sums.h"

#include <algorithm>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <cmath>

namespace edmund::ops::cpu {
namespace {

constexpr std::int64_t kFactors = 8192;  // dropout factors drawn at a time

// Rows of a [B, kRows, C] tensor: what normalization is for each channel of an image, z = x·a + b.
enum Row { kA, kB, kMean, kRstd, kRows };

struct Norm : NormSettings {
  explicit Norm(const GroupNorm& args) : NormSettings(args) {
    if (dropout > 0.0) samples = samples_of(*args.key);
  }
  std::vector<std::int64_t> samples = {};

  DropoutBits bits(std::int64_t image) const {
    const auto sample = static_cast<std::uint64_t>(samples[static_cast<std::size_t>(image)]);
    return {.key = RandomKey{seed, Stream::kDropout, sample, layer}.philox_key(), .limit = limit(), .kept = kept()};
  }

  // Runs body(first, last, factors) over pixels [first, last) of an image, with factors in the
  // thread's scratch or null.
  template <typename Body>
  void with_factors(std::int64_t image, std::int64_t pixels, std::int64_t C, std::int64_t first, std::int64_t last,
                    const Body& body) const {
    if (dropout == 0.0) return body(first, last, nullptr);
    const DropoutBits key = bits(image);
    const std::int64_t step = std::max<std::int64_t>(4, kFactors / C / 4 * 4);
    float* factors = scratch(Scratch::kFactors, step * C);
    for (std::int64_t at = first; at < last; at += step) {
      const std::int64_t end = std::min(last, at + step);
      kernel_table().dropout_factors(key, pixels, C, {at, end}, factors);
      body(at, end, factors);
    }
  }
};

// Rows of sums of an image: of its shares, 2·C each.
struct ShareRows {
  std::int64_t shares, size;
  double* sums;
  double* of(std::int64_t image, std::int64_t share) const { return sums + (image * shares + share) * size; }
  double* total(std::int64_t image) const { return add_shares(of(image, 0), shares, size, size); }
};

// Merges the channels' sums about their own origins into mean and variance of each group (Chan et
// al. 1983), and these with the parameters.
template <typename Number>
void fill_rows(const Norm& norm, std::int64_t pixels, std::int64_t C, const Number* origin, const double* sum,
               const double* squares, const NormInputs& inputs, std::int64_t image, float* rows) {
  const float *weight = data_or_null(inputs.weight), *bias = data_or_null(inputs.bias),
              *scale = data_or_null(inputs.scale), *shift = data_or_null(inputs.shift);
  const std::int64_t width = C / norm.groups;
  const auto n = static_cast<double>(pixels), count = n * static_cast<double>(width);
  for (std::int64_t first = 0; first < C; first += width) {
    double mean = 0.0, variance = 0.0;
    for (std::int64_t c = first; c < first + width; ++c)
      mean += (static_cast<double>(static_cast<float>(origin[c])) + sum[c] / n) / static_cast<double>(width);
    for (std::int64_t c = first; c < first + width; ++c) {
      const double own = static_cast<double>(static_cast<float>(origin[c])) + sum[c] / n;
      variance += squares[c] - sum[c] * sum[c] / n + n * (own - mean) * (own - mean);
    }
    const double rstd = 1.0 / std::sqrt(std::max(variance, 0.0) / count + norm.eps);
    for (std::int64_t c = first; c < first + width; ++c) {
      const double adapt = scale != nullptr ? 1.0 + static_cast<double>(scale[image * C + c]) : 1.0;
      const double shifted = shift != nullptr ? static_cast<double>(shift[image * C + c]) : 0.0;
      const double a = rstd * static_cast<double>(weight[c]) * adapt;
      rows[kA * C + c] = static_cast<float>(a);
      rows[kB * C + c] = static_cast<float>(static_cast<double>(bias[c]) * adapt + shifted - mean * a);
      rows[kMean * C + c] = static_cast<float>(mean);
      rows[kRstd * C + c] = static_cast<float>(rstd);
    }
  }
}

// The kernels of float32 images, and those of images of which some are bfloat16.
struct Passes {
  const KernelTable& table = kernel_table();
  const Bf16Kernels* mixed = nullptr;

  static bool is_bf16(const Tensor& x) { return x.scalar_type() == at::kBFloat16; }
  static Passes of(const Tensor& a, const Tensor& b) {
    return {.mixed = is_bf16(a) || is_bf16(b) ? bf16_kernels() : nullptr};
  }
  static const float* floats(const Activations& x) { return static_cast<const float*>(x.data); }
  static float* floats(const MutableActivations& x) { return static_cast<float*>(x.data); }

  void moments(const Activations& x, long pixels, long C, const Activations& shift, double* sums) const {
    mixed != nullptr ? mixed->moments(x, pixels, C, shift, sums, sums + C)
                     : table.moments(floats(x), pixels, C, floats(shift), sums, sums + C);
  }
  void apply(const Activations& x, const MutableActivations& y, long pixels, long C, const Affine& f,
             const float* factors) const {
    mixed != nullptr ? mixed->norm_apply(x, y, pixels, C, f, factors)
                     : table.norm_apply(floats(x), floats(y), pixels, C, f, factors);
  }
  void backward(const Activations& x, const Activations& dy, const AffineGradient& task) const {
    mixed != nullptr ? mixed->norm_backward(x, dy, task) : table.norm_backward(floats(x), floats(dy), task);
  }
  // In place of dz, or of a bfloat16 x elsewhere.
  void gradient(const Activations& x, float* dz, const MutableActivations& dx, long pixels, long C, const float* a,
                const float* terms) const {
    mixed != nullptr ? mixed->norm_gradient(x, dz, dx, pixels, C, a, terms, terms + C)
                     : table.norm_gradient(floats(x), dz, pixels, C, a, terms, terms + C);
  }
};

Tensor forward(const Tensor& x, const Norm& norm, const NormInputs& inputs, Tensor& rows) {
  const std::int64_t B = x.size(0), C = x.size(1), pixels = x.size(2) * x.size(3);
  Tensor y = empty_image(B, C, x.size(2), x.size(3), norm.inner ? inner_dtype(C) : at::kFloat);
  rows = at::empty({B, kRows, C}, at::kFloat);
  const PixelTasks tasks(B, pixels);
  const Tensor moments = at::empty({B, tasks.shares(), 2, C}, at::kDouble);
  const Passes passes = Passes::of(x, y);
  const Activations from = activations(x);
  const MutableActivations to = mutable_activations(y);
  float* row = rows.data_ptr<float>();
  const ShareRows sums{tasks.shares(), 2 * C, moments.data_ptr<double>()};

  const auto measure = [&](std::int64_t image, std::int64_t share, std::int64_t first, std::int64_t last) {
    double* out = sums.of(image, share);
    std::fill_n(out, 2 * C, 0.0);
    const Activations origin = from.from(image * pixels * C);
    passes.moments(origin.from(first * C), last - first, C, origin, out);
  };
  const auto finish = [&](std::int64_t image) {
    const double* total = sums.total(image);
    const auto fill = [&](const auto* images) {
      fill_rows(norm, pixels, C, images + image * pixels * C, total, total + C, inputs, image, row + image * kRows * C);
    };
    from.is_bf16 ? fill(x.const_data_ptr<at::BFloat16>()) : fill(x.const_data_ptr<float>());
  };
  const auto apply = [&](std::int64_t image, std::int64_t first, std::int64_t last) {
    const float* r = row + image * kRows * C;
    norm.with_factors(image, pixels, C, first, last, [&](std::int64_t begin, std::int64_t end, const float* factors) {
      const std::int64_t at = (image * pixels + begin) * C;
      passes.apply(from.from(at), to.from(at), end - begin, C, {r + kA * C, r + kB * C, norm.silu}, factors);
    });
  };
  tasks.run_twice(measure, finish, apply);
  return y;
}

// Gradients of the parameters from the sums over the pixels, of dz and of dz·(x - mean)·rstd: those
// of image i begin at sums + i·stride, C of each. Few numbers: loops take less time than calls of
// ATen.
void parameter_gradients(const double* sums, std::int64_t stride, std::int64_t B, std::int64_t C,
                         const NormInputs& inputs, const InputGrads& grads, NormGradients& out) {
  const float *weight = data_or_null(inputs.weight), *bias = data_or_null(inputs.bias),
              *scale = data_or_null(inputs.scale);
  const auto row = [](Tensor& to, bool wanted, at::IntArrayRef shape) {
    if (wanted) to = at::empty(shape, at::kFloat);
    return wanted ? to.data_ptr<float>() : nullptr;
  };
  float *dweight = row(out.weight, grads(1), {C}), *dbias = row(out.bias, grads(2), {C});
  float *dscale = row(out.scale, grads(3), {B, C}), *dshift = row(out.shift, grads(4), {B, C});
  for (std::int64_t c = 0; c < C; ++c) {
    double of_weight = 0.0, of_bias = 0.0;
    for (std::int64_t image = 0; image < B; ++image) {
      const double dz = sums[image * stride + c], product = sums[image * stride + C + c];
      const std::int64_t i = image * C + c;
      const double adapt = scale != nullptr ? 1.0 + static_cast<double>(scale[i]) : 1.0;
      of_weight += product * adapt;
      of_bias += dz * adapt;
      if (dscale != nullptr)
        dscale[i] = static_cast<float>(product * static_cast<double>(weight[c]) + dz * static_cast<double>(bias[c]));
      if (dshift != nullptr) dshift[i] = static_cast<float>(dz);
    }
    if (dweight != nullptr) dweight[c] = static_cast<float>(of_weight);
    if (dbias != nullptr) dbias[c] = static_cast<float>(of_bias);
  }
}

NormGradients backward(const Tensor& x, const Tensor& dy, const Tensor& rows, const Norm& norm,
                       const NormInputs& inputs, const InputGrads& grads) {
  const Timed timed([&] { return described("group norm backward", x, x.size(1)); });
  const std::int64_t B = x.size(0), C = x.size(1), pixels = x.size(2) * x.size(3), width = C / norm.groups;
  const Tensor dx = empty_image(B, C, x.size(2), x.size(3), x.scalar_type());
  const Tensor dz = Passes::is_bf16(x) ? empty_image(B, C, x.size(2), x.size(3)) : dx;
  const PixelTasks tasks(B, pixels);
  const Tensor products = at::empty({B, tasks.shares(), 2, C}, at::kDouble), terms = at::empty({B, 2, C}, at::kFloat);
  const Passes passes = Passes::of(x, dy);
  const Activations from = activations(x), gradient = activations(dy);
  const MutableActivations to = mutable_activations(dx);
  const float* row = rows.const_data_ptr<float>();
  float *between = dz.data_ptr<float>(), *term = terms.data_ptr<float>();
  const ShareRows sums{tasks.shares(), 2 * C, products.data_ptr<double>()};

  const auto measure = [&](std::int64_t image, std::int64_t share, std::int64_t first, std::int64_t last) {
    const float* r = row + image * kRows * C;
    double* out = sums.of(image, share);
    std::fill_n(out, 2 * C, 0.0);
    norm.with_factors(image, pixels, C, first, last, [&](std::int64_t begin, std::int64_t end, const float* factors) {
      const std::int64_t at = (image * pixels + begin) * C;
      passes.backward(from.from(at), gradient.from(at),
                      {.dz = between + at,
                       .pixels = end - begin,
                       .C = C,
                       .affine = {r + kA * C, r + kB * C, norm.silu},
                       .factors = factors,
                       .mean = r + kMean * C,
                       .rstd = r + kRstd * C,
                       .sums = out,
                       .products = out + C});
    });
  };
  // dx = a·dz - rstd·(m1 + (x - mean)·rstd·m2), m1 and m2 the group's means of u·dz and u·dz·(x -
  // mean)·rstd, u = a/rstd.
  const auto finish = [&](std::int64_t image) {
    const double* total = sums.total(image);
    const float* r = row + image * kRows * C;
    for (std::int64_t first = 0; first < C; first += width) {
      const double mean = r[kMean * C + first], rstd = r[kRstd * C + first];
      double m1 = 0.0, m2 = 0.0;
      for (std::int64_t c = first; c < first + width; ++c) {
        m1 += static_cast<double>(r[kA * C + c]) / rstd * total[c];
        m2 += static_cast<double>(r[kA * C + c]) / rstd * total[C + c];
      }
      m1 /= static_cast<double>(pixels * width);
      m2 /= static_cast<double>(pixels * width);
      for (std::int64_t c = first; c < first + width; ++c) {
        term[image * 2 * C + c] = static_cast<float>(-rstd * rstd * m2);
        term[image * 2 * C + C + c] = static_cast<float>(-rstd * m1 + rstd * rstd * mean * m2);
      }
    }
  };
  const auto apply = [&](std::int64_t image, std::int64_t first, std::int64_t last) {
    const std::int64_t at = (image * pixels + first) * C;
    const float* p = term + image * 2 * C;
    passes.gradient(from.from(at), between + at, to.from(at), last - first, C, row + image * kRows * C + kA * C, p);
  };
  tasks.run_twice(measure, finish, apply);
  NormGradients out{.x = dx};
  parameter_gradients(sums.sums, tasks.shares() * 2 * C, B, C, inputs, grads, out);
  return out;
}

}  // namespace

Tensor group_norm_silu(const Tensor& x, const GroupNorm& args) {
  return normalized<Norm, forward, backward>(x, args, Norm(args));
}

}  // namespace edmund::ops::cpu
