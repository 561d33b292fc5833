#pragma once

#include "edmund/ops/device.h"
#include "edmund/ops/graph.h"
#include "support/kernels.h"

#include <algorithm>
#include <functional>
#include <memory>

namespace edmund::testing {

/// Recorded work on the CPU, for as long as this lives, with the fast kernels. As on a GPU, a
/// replay knows the numbers of the host as they were at the record: it is the closure that was
/// recorded, with all that it captured by value.
class CpuRecorder {
 public:
  CpuRecorder() {
    replays() = 0;
    ops::set_cpu_recorder([](int warm_up) -> std::unique_ptr<ops::Graph> { return std::make_unique<Kept>(warm_up); });
  }
  ~CpuRecorder() {
    ops::set_cpu_recorder(nullptr);
    ops::set_graphs(ops::Graphs::kOn);
  }
  CpuRecorder(const CpuRecorder&) = delete;
  CpuRecorder& operator=(const CpuRecorder&) = delete;

  /// How often kept work was done again, by all graphs together.
  static int& replays() {
    static int count = 0;
    return count;
  }

 private:
  class Kept : public ops::Graph {
   public:
    explicit Kept(int warm_up) : warm_up_(std::max(warm_up, 1)) {}

    void run(const std::function<void()>& work) override {
      if (runs_++ < warm_up_) return work();
      if (!work_) work_ = work;
      ++replays();
      work_();
    }
    bool recorded() const override { return work_ != nullptr; }

   private:
    std::function<void()> work_;
    int warm_up_, runs_ = 0;
  };

  UseKernels fast_{ops::Kernels::kFast};
};

}  // namespace edmund::testing
