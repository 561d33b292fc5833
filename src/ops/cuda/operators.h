#pragma once

#include "edmund/ops/device.h"
#include "edmund/ops/graph.h"
#include "edmund/ops/ops.h"
#include "edmund/ops/random.h"
#include "edmund/ops/sum.h"

#include <c10/core/MemoryFormat.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

/// What the program and libedmund_cuda.so know of each other: a table of functions. The library
/// uses nothing of the program but types, and the program nothing of LibTorch's CUDA libraries.
namespace edmund::ops::cuda {

/// How the program asks for a convolution.
struct ConvContext {
  Precision precision = Precision::kFp32;
  std::uint64_t weights = 0;  // counts weights_changed()
};

/// Images that combine() takes; a draw may come with them.
constexpr std::size_t kMostImages = 8;

enum class Distribution { kWords, kNormal, kUniform };

struct Operators {
  const char* build;  // version of edmund and of LibTorch that the library was compiled for

  /// GPUs that can be used; if there are none, `why` says so.
  int (*count)(std::string& why);
  /// "NVIDIA H100 80GB HBM3, 79 GiB, compute capability 9.0".
  std::string (*name)(int index);
  void (*synchronize)(at::Device device);
  std::unique_ptr<Graph> (*make_graph)(at::Device device, int warm_up);

  Tensor (*conv2d)(const Tensor& x, const Conv2d& args, const ConvContext& context);
  Tensor (*group_norm_silu)(const Tensor& x, const GroupNorm& args);
  Tensor (*attention)(const Tensor& qkv, std::int64_t heads);
  Tensor (*resample_box)(const Tensor& x, Resample direction);
  Tensor (*concat)(const Tensor& a, const Tensor& b);
  /// Sum of at most kMostImages tensors of one shape [B, C, H, W], contiguous or channels-last, the
  /// first term among them, and at most one draw.
  Tensor (*combine)(std::span<const Term> terms, at::ScalarType dtype, at::MemoryFormat order);
  void (*adam_ema)(Tensor& parameters, const std::vector<GradientPiece>& gradient, Tensor& first_moment,
                   Tensor& second_moment, std::vector<Tensor>& ema, const AdamStep& args, const LiveAdam& live);
  /// Words as int32, normal and uniform numbers as float64 if draw.dtype is that, else as float32,
  /// [B, count].
  Tensor (*draw)(const Draw& draw, Distribution distribution, std::int64_t count);
};

/// What the library puts into it.
Tensor conv2d(const Tensor& x, const Conv2d& args, const ConvContext& context);
Tensor group_norm_silu(const Tensor& x, const GroupNorm& args);
Tensor attention(const Tensor& qkv, std::int64_t heads);
Tensor resample_box(const Tensor& x, Resample direction);
Tensor concat(const Tensor& a, const Tensor& b);
Tensor combine(std::span<const Term> terms, at::ScalarType dtype, at::MemoryFormat order);
void adam_ema(Tensor& parameters, const std::vector<GradientPiece>& gradient, Tensor& first_moment,
              Tensor& second_moment, std::vector<Tensor>& ema, const AdamStep& args, const LiveAdam& live);
Tensor draw(const Draw& draw, Distribution distribution, std::int64_t count);
std::unique_ptr<Graph> make_graph(at::Device device, int warm_up);

/// Name of the library's one function, and its type.
constexpr const char* kEntry = "edmund_cuda_operators";
using Entry = const Operators*();

}  // namespace edmund::ops::cuda
