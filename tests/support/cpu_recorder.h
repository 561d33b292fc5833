#pragma once

#include "edmund/ops/device.h"
#include "edmund/ops/graph.h"
#include "support/kernels.h"

#include <cstdint>
#include <functional>
#include <memory>

namespace edmund::testing {

/// While it lives, the fast kernels are chosen and the CPU's work is recorded where a GPU's would
/// be: run as it is at first, then kept, and from then on the kept work is run in place of what is
/// asked for.
class CpuRecorder {
 public:
  CpuRecorder() {
    counts() = {};
    ops::set_cpu_recorder([](int warm_up) -> std::unique_ptr<ops::Graph> { return std::make_unique<Kept>(warm_up); });
  }
  ~CpuRecorder() {
    ops::set_cpu_recorder(nullptr);
    ops::set_graphs(ops::Graphs::kOn);
  }
  CpuRecorder(const CpuRecorder&) = delete;
  CpuRecorder& operator=(const CpuRecorder&) = delete;

  /// Since the last recorder began.
  static std::int64_t graphs() { return counts().graphs; }
  static std::int64_t replays() { return counts().replays; }

 private:
  struct Counts {
    std::int64_t graphs = 0, replays = 0;
  };
  static Counts& counts() {
    static Counts since;
    return since;
  }

  class Kept : public ops::Graph {
   public:
    explicit Kept(int warm_up) : left_(warm_up) { ++counts().graphs; }
    void run(const std::function<void()>& work) override {
      if (kept_) {
        ++counts().replays;
        return kept_();
      }
      if (left_-- <= 0) kept_ = work;
      work();
    }
    bool recorded() const override { return kept_ != nullptr; }

   private:
    int left_;
    std::function<void()> kept_;
  };

  UseKernels fast_{ops::Kernels::kFast};
};

}  // namespace edmund::testing
