#pragma once

#include "autograd.h"
#include "cpu/bf16_kernels.h"
#include "cuda/library.h"
#include "edmund/ops/ops.h"
#include "edmund/ops/profile.h"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

/// The fast operators: the CPU's (float32, bfloat16 between some), and those of a GPU (float32,
/// bfloat16, float16), results channels-last. ops.h states what each computes; fast() and
/// fast_cuda() say when they are used.
namespace edmund::ops {

/// Whether set_kernels() asks for the fast operators and they support x.
bool fast(const Tensor& x);
/// The same of group_norm_silu() and conv2d(), which take what others left as bfloat16 (`inner`);
/// weights are float32.
bool fast_inner(const Tensor& x, const Tensor& weight);

/// The GPU's fast operators if set_kernels() asks for them and they support x, else null.
const cuda::Operators* fast_cuda(const Tensor& x);
/// What its convolutions need to know beside their arguments.
cuda::ConvContext conv_context();

/// The profile's entry for an operator on x that computes K channels by `taps` multiplications of
/// each input channel.
OperatorTime described(std::string_view name, const Tensor& x, std::int64_t K, double taps = 0.0);

/// The samples of a key, on the host.
std::vector<std::int64_t> samples_of(const DropoutKey& key);

/// Zeros above and below, left and right of the image.
std::array<std::int64_t, 2> zeros_around(const Conv2d& args);

namespace cpu {

Tensor conv2d(const Tensor& x, const Conv2d& args);
Tensor group_norm_silu(const Tensor& x, const GroupNorm& args);
Tensor attention(const Tensor& qkv, std::int64_t heads);
Tensor resample_box(const Tensor& x, Resample direction);
Tensor max_pool(const Tensor& x, std::int64_t stride, std::int64_t padding);
Tensor concat(const Tensor& a, const Tensor& b);
Tensor layer_norm_modulate(const Tensor& x, const Tensor& shift, const Tensor& scale, double eps);
Tensor gelu_tanh(const Tensor& x);
Tensor gated_sum(const Tensor& h, const Tensor& gate, const Tensor& x);
/// gain·x/(1e-4 + ‖x‖/√n): of each pixel over its channels; of each query, key and value of a head;
/// of each filter of a weight, which keeps its memory order.
Tensor unit_pixels(const Tensor& x);
Tensor unit_heads(const Tensor& qkv, std::int64_t heads);
Tensor unit_filters(const Tensor& weight, double gain);
Tensor mp_silu(const Tensor& x, const Tensor& scale);
/// of_a·a + of_b·b, images of one shape.
Tensor blend(const Tensor& a, double of_a, const Tensor& b, double of_b);
Tensor gradient_norm(const std::vector<GradientPiece>& gradient);
/// Of `live` the terms and the rests of the EMAs count; the gradient's factor is in `args`.
void adam_ema(Tensor& parameters, const std::vector<GradientPiece>& gradient, Tensor& first_moment,
              Tensor& second_moment, std::vector<Tensor>& ema, const AdamStep& args, const LiveAdam& live);

/// Memory for [B, C, H, W] in the order [B, H, W, C].
Tensor empty_image(std::int64_t B, std::int64_t C, std::int64_t H, std::int64_t W, at::ScalarType dtype = at::kFloat);

/// The dtype of an `inner` result of C channels: bfloat16 where convolutions multiply blocks of it
/// now and the channels fill them, else float32.
at::ScalarType inner_dtype(std::int64_t C);
Activations activations(const Tensor& x);
MutableActivations mutable_activations(const Tensor& x);
/// A contiguous row, or null if undefined.
const float* data_or_null(const Tensor& x);
/// Memory of the calling thread, at least `floats`, aligned to a cache line; valid until the next
/// call with the same slot.
enum class Scratch { kTiles, kFactors, kImage };
float* scratch(Scratch slot, std::int64_t floats);

/// n rounded up to a multiple of `step`.
inline std::int64_t whole(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

/// Memory of floats for numbers of another kind that are as large (Pair).
template <typename Number>
Number* numbers(float* memory) {
  static_assert(sizeof(Number) == sizeof(float));
  return reinterpret_cast<Number*>(memory);
}
template <typename Number>
const Number* numbers(const Tensor& memory) {
  return reinterpret_cast<const Number*>(memory.const_data_ptr<float>());
}

/// Splits the pixels of B images into tasks so that all threads have work. Tasks begin at multiples
/// of four pixels.
class PixelTasks {
 public:
  PixelTasks(std::int64_t images, std::int64_t pixels);

  /// Pixels [first, last) of an image, cut as suits the number of threads: for results of which
  /// each belongs to one pixel.
  using Part = std::function<void(std::int64_t image, std::int64_t first, std::int64_t last)>;
  void each(const Part& task) const;

  /// Shares of an image's pixels, a function of `pixels` alone: for sums over them.
  std::int64_t shares() const { return shares_; }
  using Share = std::function<void(std::int64_t image, std::int64_t share, std::int64_t first, std::int64_t last)>;
  void each_share(const Share& task) const;

  /// measure() of all shares of an image, then finish(), then apply() to all its pixels: at once by
  /// one thread for images that are not split, so that the second pass finds the image in its
  /// cache.
  void run_twice(const Share& measure, const std::function<void(std::int64_t image)>& finish, const Part& apply) const;

 private:
  // parts of an image by threads; 1: whole ones are enough
  std::int64_t images_, pixels_, shares_, parts_;
};

/// Sums over the pixels of each image for C channels, of which each share has a row.
class ImageSums {
 public:
  ImageSums(std::int64_t images, const PixelTasks& tasks, std::int64_t C);
  /// [C], zeros at first.
  float* row(std::int64_t image, std::int64_t share) const;
  /// [images, C], added up in the order of the shares; once.
  Tensor added() const;

 private:
  Tensor sums_;
};

}  // namespace cpu
}  // namespace edmund::ops
