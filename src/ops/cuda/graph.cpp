// CUDA graphs, and the library's table.
#include "glue.h"

#include <algorithm>
#include <ATen/Context.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAFunctions.h>
#include <exception>
#include <stdexcept>
#include <torch/version.h>

namespace edmund::ops::cuda {
namespace {

// One stream waits for what another one was given so far.
void follow(const c10::cuda::CUDAStream& behind, const c10::cuda::CUDAStream& ahead) {
  c10::cuda::CUDAEvent done;
  done.record(ahead);
  done.block(behind);
}

class CudaGraph : public Graph {
 public:
  CudaGraph(at::Device device, int warm_up)
      : device_(device),
        stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index())),
        warm_up_(std::max(warm_up, 1)) {}

  void run(const std::function<void()>& work) override {
    const c10::cuda::CUDAGuard guard(device_);
    const auto outer = c10::cuda::getCurrentCUDAStream(device_.index());
    follow(stream_, outer);
    {
      const c10::cuda::CUDAStreamGuard here(stream_);
      if (runs_ < warm_up_) {
        work();
      } else {
        if (!recorded()) record(work);
        graph_.replay();
      }
      ++runs_;
    }
    follow(outer, stream_);
  }

  bool recorded() const override { return recorded_; }

 private:
  // Recording runs nothing.
  void record(const std::function<void()>& work) {
    c10::cuda::device_synchronize();
    graph_.capture_begin();
    try {
      work();
    } catch (const std::exception& error) {
      const std::string why = error.what();
      try {
        graph_.capture_end();
        // says that recording failed, which the first error explains
      } catch (const std::exception&) {
      }
      throw std::runtime_error("this work cannot be recorded as a CUDA graph, set graphs: off; " + why);
    }
    graph_.capture_end();
    recorded_ = true;
  }

  at::Device device_;
  c10::cuda::CUDAStream stream_;
  at::cuda::CUDAGraph graph_;
  int warm_up_, runs_ = 0;
  bool recorded_ = false;
};

int count(std::string& why) {
  int found = 0;
  const cudaError_t error = cudaGetDeviceCount(&found);
  if (error == cudaSuccess && found > 0) {
    // Shapes repeat: let cuDNN measure which algorithm is fastest.
    at::globalContext().setBenchmarkCuDNN(true);
    return found;
  }
  why = error == cudaSuccess ? "the driver shows none" : cudaGetErrorString(error);
  static_cast<void>(cudaGetLastError());
  return 0;
}

std::string name(int index) {
  cudaDeviceProp properties{};
  C10_CUDA_CHECK(cudaGetDeviceProperties(&properties, index));
  return std::string(properties.name) + ", " + std::to_string(properties.totalGlobalMem >> 30) +
         " GiB, compute capability " + std::to_string(properties.major) + "." + std::to_string(properties.minor);
}

void synchronize(at::Device device) {
  const c10::cuda::CUDAGuard guard(device);
  c10::cuda::device_synchronize();
}

constexpr Operators kOperators{.build = "edmund " EDMUND_VERSION ", LibTorch " TORCH_VERSION,
                               .count = count,
                               .name = name,
                               .synchronize = synchronize,
                               .make_graph = make_graph,
                               .conv2d = conv2d,
                               .group_norm_silu = group_norm_silu,
                               .attention = attention,
                               .resample_box = resample_box,
                               .concat = concat,
                               .combine = combine,
                               .adam_ema = adam_ema,
                               .draw = draw};

}  // namespace

std::unique_ptr<Graph> make_graph(at::Device device, int warm_up) {
  return std::make_unique<CudaGraph>(device, warm_up);
}

}  // namespace edmund::ops::cuda

extern "C" __attribute__((visibility("default"))) const edmund::ops::cuda::Operators* edmund_cuda_operators() {
  return &edmund::ops::cuda::kOperators;
}
