#pragma once

#include "edmund/app/config.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund {

/// What a case found out beside its time, by name.
using Figures = std::vector<std::pair<std::string, double>>;

/// Something that `edmund bench` times, ready to be run again and again.
struct BenchCase {
  std::string name;        // MODEL:PHASE:KERNELS
  std::int64_t batch = 1;  // images a call
  std::function<void()> run = nullptr;
  // seconds of the last call spent in the network (sampling)
  std::function<double()> inside = nullptr;
  std::function<Figures()> figures = nullptr;  // after the timing
  std::int64_t evaluations = 0;                // network evaluations a call (sampling)
  std::vector<double> seconds = {};            // of each round
  // of each round, beside one busy process a core, if that was asked for
  std::vector<double> beside_load = {};
  // of each round: share of the time that was not the network's
  std::vector<double> outside = {};
};

/// Something of an experiment that can be timed.
struct BenchPhase {
  std::string_view name;        // "forward"
  std::string_view short_name;  // in the names of cases, and what peers' benchmarks call it: "fwd"
  void (*prepare)(BenchCase& out, const std::shared_ptr<Experiment>& experiment, std::int64_t batch);
};

/// forward, train, sample, optimizer, loader, features, memory (a training step of the experiment's
/// own network, with the peak memory of this process) and those of bench_figures.h.
std::span<const BenchPhase> phase_table();

/// `kernels`: reference, fast or exact (fast, but convolutions direct). All cases of one call share
/// `experiment`.
BenchCase make_bench_case(const std::shared_ptr<Experiment>& experiment, const BenchPhase& phase,
                          const std::string& kernels, std::int64_t batch);

/// Rates of this machine as a program meets them, best of a few tries.
struct MachineRates {
  // of a matrix product of float32, by LibTorch or by a 1×1 convolution, whichever is faster
  double flops = 0.0;
  // read and written by a pass over large memory, in place: a copy also fetches what it overwrites
  double bytes = 0.0;
};
MachineRates measured_rates();

}  // namespace edmund
