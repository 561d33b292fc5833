#include "edmund/ops/random.h"

#include "cpu/kernels.h"
#include "cuda/library.h"
#include "parallel.h"
#include "random_words.h"

#include <algorithm>
#include <array>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <c10/util/accumulate.h>
#include <vector>

namespace edmund::ops {
namespace {

constexpr std::int64_t kRun = 1024;  // elements that one task draws at once

// Rounding to float32 may reach 1: the largest number below stands for it, so that the interval
// stays open.
double below_one(double u, at::ScalarType dtype) { return dtype == at::kDouble ? u : std::min(u, 1.0 - 0x1p-24); }

std::vector<std::int64_t> batch_shape(std::size_t rows, at::IntArrayRef shape) {
  std::vector<std::int64_t> out{static_cast<std::int64_t>(rows)};
  out.insert(out.end(), shape.begin(), shape.end());
  return out;
}

// Fills [B, shape…] in double precision or float32, whatever is nearest to dtype, then casts.
template <typename Convert>
Tensor drawn_on_cpu(std::uint64_t seed, Stream stream, std::span<const std::int64_t> samples, std::uint32_t draw,
                    at::IntArrayRef shape, at::ScalarType dtype, Convert convert) {
  const bool wide = dtype == at::kDouble;
  const Tensor out = at::empty(batch_shape(samples.size(), shape), wide ? at::kDouble : at::kFloat);
  const std::int64_t count = samples.empty() ? 0 : out.numel() / static_cast<std::int64_t>(samples.size());
  const auto fill = [&](auto* data) {
    draw_words(seed, stream, samples, draw, count,
               [&](std::int64_t row, std::int64_t first, std::span<const std::uint32_t> words) {
                 std::array<double, kRun> values;
                 convert(words, values.data());
                 auto* to = data + row * count + first;
                 const auto n = std::min<std::int64_t>(static_cast<std::int64_t>(words.size()), count - first);
                 for (std::int64_t i = 0; i < n; ++i)
                   to[i] = static_cast<std::remove_reference_t<decltype(*to)>>(values[static_cast<std::size_t>(i)]);
               });
  };
  if (wide) {
    fill(out.data_ptr<double>());
  } else {
    fill(out.data_ptr<float>());
  }
  return out.to(dtype);
}

Tensor on_device(std::span<const std::int64_t> samples, at::Device device) {
  return at::tensor(at::ArrayRef<std::int64_t>(samples.data(), samples.size())).to(device);
}

Tensor drawn_on_gpu(const Draw& draw, cuda::Distribution distribution, at::IntArrayRef shape) {
  const Tensor out = cuda_operators().draw(draw, distribution, c10::multiply_integers(shape));
  return out.view(batch_shape(static_cast<std::size_t>(draw.samples.size(0)), shape)).to(draw.dtype);
}

}  // namespace

void draw_words(std::uint64_t seed, Stream stream, std::span<const std::int64_t> samples, std::uint32_t draw,
                std::int64_t count, const WordConsumer& consume) {
  TORCH_CHECK(count <= (std::int64_t{1} << 34), "random numbers: more than 2^34 elements a sample");
  const std::int64_t runs = (count + kRun - 1) / kRun;
  const auto rows = static_cast<std::int64_t>(samples.size());
  parallel_for(0, rows * runs, std::max<std::int64_t>(1, 8192 / std::max<std::int64_t>(1, std::min(count, kRun))),
               [&](std::int64_t begin, std::int64_t end) {
                 std::array<std::uint32_t, kRun> words;
                 for (std::int64_t task = begin; task < end; ++task) {
                   const std::int64_t row = task / runs, first = task % runs * kRun;
                   const std::int64_t size = std::min(kRun, (count - first + 3) / 4 * 4);
                   const auto sample = static_cast<std::uint64_t>(samples[static_cast<std::size_t>(row)]);
                   cpu::kernel_table().philox(RandomKey{seed, stream, sample, draw}.philox_key(),
                                              static_cast<std::uint32_t>(first / 4), size / 4, words.data());
                   consume(row, first, std::span(words).first(static_cast<std::size_t>(size)));
                 }
               });
}

Tensor normal(std::uint64_t seed, Stream stream, std::span<const std::int64_t> samples, std::uint32_t draw,
              at::IntArrayRef shape, at::ScalarType dtype, at::Device device) {
  if (device.is_cuda()) return normal({seed, stream, on_device(samples, device), draw, dtype}, shape);
  return drawn_on_cpu(seed, stream, samples, draw, shape, dtype, [](std::span<const std::uint32_t> words, double* out) {
    cpu::kernel_table().normal(words.data(), static_cast<long>(words.size()), out);
  });
}

Tensor normal(const Draw& draw, at::IntArrayRef shape) {
  if (draw.samples.is_cuda()) return drawn_on_gpu(draw, cuda::Distribution::kNormal, shape);
  const Tensor samples = draw.samples.contiguous();
  return normal(draw.seed, draw.stream,
                std::span(samples.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(samples.numel())), draw.draw,
                shape, draw.dtype, at::kCPU);
}

Tensor uniform(std::uint64_t seed, Stream stream, std::span<const std::int64_t> samples, std::uint32_t draw,
               at::IntArrayRef shape, at::ScalarType dtype, at::Device device) {
  if (device.is_cuda())
    return drawn_on_gpu({seed, stream, on_device(samples, device), draw, dtype}, cuda::Distribution::kUniform, shape);
  return drawn_on_cpu(seed, stream, samples, draw, shape, dtype,
                      [dtype](std::span<const std::uint32_t> words, double* out) {
                        for (std::size_t i = 0; i < words.size(); ++i) out[i] = below_one(open_unit(words[i]), dtype);
                      });
}

}  // namespace edmund::ops
