#pragma once

#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#include <functional>
#include <math.h>
#include <memory>
#include <ucontext.h>
#include <vector>

/// Enough of CUDA to run the kernels of src/ops/cuda on the CPU: a block's threads are fibers of
/// one thread, which take turns at barriers; blocks run one after the other. It shows wrong
/// indices, sizes and sums; not races, nor what the compiler for the GPU makes of the code.

#undef __shared__
#define __shared__ static
#define cudaGetLastError() cudaSuccess

inline dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace edmund::testing {

class EmulatedBlock {
 public:
  /// Runs `body` as all threads of all blocks.
  static void run(dim3 grid, dim3 threads, const std::function<void()>& body) {
    EmulatedBlock block(threads, body);
    gridDim = grid;
    blockDim = threads;
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        blockIdx = dim3(x, y, 0);
        block.run_once();
      }
  }

  static EmulatedBlock& current() { return *running(); }
  void meet() { wait(all_, static_cast<unsigned>(fibers_.size())); }
  double exchange(double value, unsigned step) {
    const std::size_t warp = turn_ / 32, lane = turn_ % 32;
    lanes_[turn_] = value;
    wait(warps_[warp], 32);
    const double out = lane + step < 32 ? lanes_[turn_ + step] : value;
    wait(warps_[warp], 32);
    return out;
  }

 private:
  static constexpr std::size_t kStack = 64 * 1024;  // bytes

  struct Fiber {
    ucontext_t start = {};
    std::jmp_buf place = {};
    bool started = false;
    std::unique_ptr<char[]> stack = std::make_unique_for_overwrite<char[]>(kStack);
    dim3 index;
    bool done = false;
  };
  struct Barrier {
    unsigned arrived = 0, generation = 0;
  };

  EmulatedBlock(dim3 threads, const std::function<void()>& body)
      : body_(body),
        fibers_(threads.x * threads.y * threads.z),
        lanes_(fibers_.size()),
        warps_(fibers_.size() / 32 + 1) {
    for (std::size_t i = 0; i < fibers_.size(); ++i) {
      fibers_[i] = std::make_unique<Fiber>();
      const auto n = static_cast<unsigned>(i);
      fibers_[i]->index = dim3(n % threads.x, n / threads.x % threads.y, n / threads.x / threads.y);
    }
  }

  static EmulatedBlock*& running() {
    static EmulatedBlock* block = nullptr;
    return block;
  }

  static void enter() {
    EmulatedBlock& block = current();
    block.body_();
    block.fibers_[block.turn_]->done = true;
    _longjmp(block.main_, 1);
  }

  // Contexts start the fibers only: to swap them takes a system call each time.
  void resume(Fiber& fiber) {
    threadIdx = fiber.index;
    if (_setjmp(main_) != 0) return;
    if (fiber.started) _longjmp(fiber.place, 1);
    fiber.started = true;
    setcontext(&fiber.start);
  }

  void run_once() {
    running() = this;
    for (auto& fiber : fibers_) {
      getcontext(&fiber->start);
      fiber->start.uc_stack.ss_sp = fiber->stack.get();
      fiber->start.uc_stack.ss_size = kStack;
      makecontext(&fiber->start, enter, 0);
      fiber->started = fiber->done = false;
    }
    for (unsigned rounds = 0; !finished(); ++rounds) {
      if (rounds > 1'000'000) {
        std::fputs("emulated kernel: threads wait for others that never come\n", stderr);
        std::abort();
      }
      for (turn_ = 0; turn_ < fibers_.size(); ++turn_)
        if (!fibers_[turn_]->done) resume(*fibers_[turn_]);
    }
  }

  bool finished() const {
    for (const auto& fiber : fibers_)
      if (!fiber->done) return false;
    return true;
  }

  void wait(Barrier& barrier, unsigned threads) {
    const unsigned generation = barrier.generation;
    if (++barrier.arrived == threads) {
      barrier.arrived = 0;
      ++barrier.generation;
    }
    while (barrier.generation == generation)
      if (_setjmp(fibers_[turn_]->place) == 0) _longjmp(main_, 1);
  }

  const std::function<void()>& body_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<double> lanes_;
  std::vector<Barrier> warps_;
  Barrier all_;
  std::jmp_buf main_ = {};
  std::size_t turn_ = 0;
};

}  // namespace edmund::testing

inline void __syncthreads() { edmund::testing::EmulatedBlock::current().meet(); }
inline double __shfl_down_sync(unsigned, double value, int step) {
  return edmund::testing::EmulatedBlock::current().exchange(value, static_cast<unsigned>(step));
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32);
}

namespace edmund::ops::cuda {

template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 threads, cudaStream_t, Arguments... arguments) {
  testing::EmulatedBlock::run(grid, threads, [&] { kernel(arguments...); });
}

}  // namespace edmund::ops::cuda
