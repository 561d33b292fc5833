#include "fast.h"

#include "edmund/core/format.h"
#include "edmund/ops/device.h"
#include "edmund/ops/threads.h"
#include "parallel.h"
#include "share_sums.h"

#include <algorithm>
#include <array>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <cstdlib>
#include <memory>
#include <utility>

namespace edmund::ops {

bool fast(const Tensor& x) {
  return kernels() == Kernels::kFast && x.device().is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0;
}

bool fast_inner(const Tensor& x, const Tensor& weight) {
  if (weight.scalar_type() != at::kFloat) return false;
  const bool is_inner = kernels() == Kernels::kFast && x.device().is_cpu() && x.scalar_type() == at::kBFloat16 &&
                        x.numel() > 0 && cpu::inner_dtype(x.size(1)) == at::kBFloat16;
  return is_inner || fast(x);
}

OperatorTime described(std::string_view name, const Tensor& x, std::int64_t K, double taps) {
  const auto pixels = static_cast<double>(x.size(0) * x.size(2) * x.size(3)), C = static_cast<double>(x.size(1));
  const auto outputs = pixels * static_cast<double>(K);
  return {.name = format("{} {}x{}x{}x{}{}", name, x.size(0), x.size(1), x.size(2), x.size(3),
                         taps > 0.0 ? " -> " + std::to_string(K) : ""),
          .flops = 2.0 * taps * C * outputs,
          .bytes = static_cast<double>(x.element_size()) * (pixels * C + outputs)};
}

namespace cpu {
namespace {

struct Free {
  void operator()(float* memory) const { std::free(memory); }
};
struct Buffer {
  std::unique_ptr<float, Free> memory;
  std::int64_t floats = 0;
};

// Of an image: the kernels sum so many pixels in float32 before others join, and more shares would
// be more rows to add.
constexpr std::int64_t kSharePixels = 64, kMostShares = 8;

// Pixels [first, last) of part number i.
std::pair<std::int64_t, std::int64_t> piece_of(std::int64_t pixels, std::int64_t parts, std::int64_t i) {
  const std::int64_t step = ((pixels + parts - 1) / parts + 3) / 4 * 4, first = std::min(i * step, pixels);
  return {first, std::min(first + step, pixels)};
}

}  // namespace

Tensor empty_image(std::int64_t B, std::int64_t C, std::int64_t H, std::int64_t W, at::ScalarType dtype) {
  return at::empty({B, C, H, W}, at::TensorOptions(dtype).memory_format(at::MemoryFormat::ChannelsLast));
}

at::ScalarType inner_dtype(std::int64_t C) {
  const Bf16Kernels* pairs = precision() == Precision::kBf16 ? bf16_kernels() : nullptr;
  return pairs != nullptr && pairs->direct != nullptr && C % (2 * kBlockDepth) == 0 ? at::kBFloat16 : at::kFloat;
}

Activations activations(const Tensor& x) { return {x.const_data_ptr(), x.scalar_type() == at::kBFloat16}; }

MutableActivations mutable_activations(const Tensor& x) {
  return {x.mutable_data_ptr(), x.scalar_type() == at::kBFloat16};
}

const float* data_or_null(const Tensor& x) { return x.defined() ? x.const_data_ptr<float>() : nullptr; }

float* scratch(Scratch slot, std::int64_t floats) {
  thread_local std::array<Buffer, 3> buffers;
  Buffer& buffer = buffers[static_cast<std::size_t>(slot)];
  if (buffer.floats < floats) {
    const std::size_t bytes = (static_cast<std::size_t>(floats) * sizeof(float) + 63) / 64 * 64;
    buffer.memory.reset(static_cast<float*>(std::aligned_alloc(64, bytes)));
    TORCH_CHECK(buffer.memory != nullptr, "out of memory: ", bytes, " bytes of scratch");
    buffer.floats = floats;
  }
  return buffer.memory.get();
}

PixelTasks::PixelTasks(std::int64_t images, std::int64_t pixels)
    : images_(images), pixels_(pixels), shares_(shares_of(pixels, kSharePixels, kMostShares)), parts_(1) {
  const std::int64_t threads = ops::threads();
  // Whole images stay in one thread's cache from one pass to the next; only a few of them are cut.
  if (images < 2 * threads && images % threads != 0)
    parts_ = std::clamp<std::int64_t>(pixels / 32, 1, (2 * threads + images - 1) / images);
}

void PixelTasks::each(const Part& task) const {
  parallel_for(0, images_ * parts_, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto [first, last] = piece_of(pixels_, parts_, i % parts_);
      task(i / parts_, first, last);
    }
  });
}

void PixelTasks::each_share(const Share& task) const {
  parallel_for(0, images_ * shares_, parts_ == 1 ? shares_ : 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const auto [first, last] = piece_of(pixels_, shares_, i % shares_);
      task(i / shares_, i % shares_, first, last);
    }
  });
}

void PixelTasks::run_twice(const Share& measure, const std::function<void(std::int64_t)>& finish,
                           const Part& apply) const {
  if (parts_ > 1) {
    each_share(measure);
    for (std::int64_t image = 0; image < images_; ++image) finish(image);
    return each(apply);
  }
  each([&](std::int64_t image, std::int64_t, std::int64_t) {
    for (std::int64_t share = 0; share < shares_; ++share) {
      const auto [first, last] = piece_of(pixels_, shares_, share);
      measure(image, share, first, last);
    }
    finish(image);
    apply(image, 0, pixels_);
  });
}

ImageSums::ImageSums(std::int64_t images, const PixelTasks& tasks, std::int64_t C)
    : sums_(at::zeros({images, tasks.shares(), C}, at::kFloat)) {}

float* ImageSums::row(std::int64_t image, std::int64_t share) const {
  return sums_.data_ptr<float>() + (image * sums_.size(1) + share) * sums_.size(2);
}

Tensor ImageSums::added() const {
  const std::int64_t C = sums_.size(2);
  for (std::int64_t image = 0; image < sums_.size(0); ++image) add_shares(row(image, 0), sums_.size(1), C, C);
  return sums_.select(1, 0);
}

}  // namespace cpu
}  // namespace edmund::ops
