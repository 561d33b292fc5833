#pragma once

#include "edmund/core/philox.h"
#include "edmund/ops/device.h"
#include "edmund/ops/graph.h"
#include "edmund/ops/ops.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

/// What the program and libedmund_cuda.so know of each other: a table of functions. The library uses nothing of the program but types, and the program
/// nothing of LibTorch's CUDA libraries.
namespace edmund::ops::cuda {

/// How the program asks for a convolution.
struct ConvContext {
  Precision precision = Precision::kFp32;
  std::uint64_t weights = 0;  // counts weights_changed()
};

struct Draw {
  std::uint64_t seed = 0;
  Stream stream = Stream::kLatent;
  Tensor samples = {};  // int64 [B], on the GPU
  std::uint32_t draw = 0;
};
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
  /// x contiguous, float32 or float64; y contiguous or channels-last.
  Tensor (*combine)(double a, const Tensor& x, double b, const Tensor& y);
  void (*adam_ema)(Tensor& parameters, Tensor& gradient, Tensor& first_moment, Tensor& second_moment,
                   std::vector<Tensor>& ema, const AdamStep& args, const LiveAdam& live);
  /// Words as int32, normal and uniform numbers as float32 or float64, [B, count].
  Tensor (*draw)(const Draw& draw, Distribution distribution, std::int64_t count, at::ScalarType dtype);
};

/// What the library puts into it.
Tensor conv2d(const Tensor& x, const Conv2d& args, const ConvContext& context);
Tensor group_norm_silu(const Tensor& x, const GroupNorm& args);
Tensor attention(const Tensor& qkv, std::int64_t heads);
Tensor resample_box(const Tensor& x, Resample direction);
Tensor concat(const Tensor& a, const Tensor& b);
Tensor combine(double a, const Tensor& x, double b, const Tensor& y);
void adam_ema(Tensor& parameters, Tensor& gradient, Tensor& first_moment, Tensor& second_moment,
              std::vector<Tensor>& ema, const AdamStep& args, const LiveAdam& live);
Tensor draw(const Draw& draw, Distribution distribution, std::int64_t count, at::ScalarType dtype);
std::unique_ptr<Graph> make_graph(at::Device device, int warm_up);

/// Name of the library's one function, and its type.
constexpr const char* kEntry = "edmund_cuda_operators";
using Entry = const Operators*();

}  // namespace edmund::ops::cuda
