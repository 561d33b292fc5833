#include "fast.h"

#include "edmund/core/format.h"
#include "parallel.h"

#include <algorithm>
#include <array>
#include <ATen/ops/empty.h>
#include <ATen/Parallel.h>
#include <cstdlib>
#include <memory>

namespace edmund::ops {

bool fast(const Tensor& x) {
  return kernels() == Kernels::kFast && x.device().is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0;
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

}  // namespace

Tensor empty_image(std::int64_t B, std::int64_t C, std::int64_t H, std::int64_t W) {
  return at::empty({B, C, H, W}, at::TensorOptions(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
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

PixelTasks::PixelTasks(std::int64_t images_, std::int64_t pixels_) : images(images_), pixels(pixels_), parts(1) {
  const std::int64_t threads = at::get_num_threads();
  // Whole images stay in one thread's cache from one pass to the next; only a few of them are cut.
  if (images < 2 * threads && images % threads != 0)
    parts = std::clamp<std::int64_t>(pixels / 32, 1, (2 * threads + images - 1) / images);
}

void PixelTasks::run(const Task& task) const {
  const std::int64_t step = ((pixels + parts - 1) / parts + 3) / 4 * 4;
  parallel_for(0, images * parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t part = i % parts, first = std::min(part * step, pixels);
      task(i / parts, part, first, std::min(first + step, pixels));
    }
  });
}

void PixelTasks::run_twice(const Task& measure, const std::function<void(std::int64_t)>& finish,
                           const Task& apply) const {
  if (parts == 1)
    return run([&](std::int64_t image, std::int64_t part, std::int64_t first, std::int64_t last) {
      measure(image, part, first, last);
      finish(image);
      apply(image, part, first, last);
    });
  run(measure);
  for (std::int64_t image = 0; image < images; ++image) finish(image);
  run(apply);
}

}  // namespace cpu
}  // namespace edmund::ops
