#pragma once

#include "edmund/app/config.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace edmund {

/// What a case found out beside its time, by name.
using Figures = std::vector<std::pair<std::string, double>>;

/// Something that `edmund bench` times, ready to be run again and again.
struct BenchCase {
  std::string name;        // MODEL:PHASE:KERNELS
  std::int64_t batch = 1;  // images a call
  std::function<void()> run;
  std::function<double()> inside = nullptr;    // seconds of the last call spent in the network (sampling)
  std::function<Figures()> figures = nullptr;  // after the timing
  std::int64_t evaluations = 0;                // network evaluations a call (sampling)
  std::vector<double> seconds = {};            // of each round
  std::vector<double> outside = {};            // of each round: share of the time that was not the network's
};

/// fwd, train, sample, optim, loader, fid, memory (a training step of the experiment's own network,
/// with the peak memory of this process) and those of bench_figures.h. `kernels`: reference, fast
/// or exact (fast, but convolutions direct). All cases of one call share `experiment`.
BenchCase make_bench_case(const std::shared_ptr<Experiment>& experiment, const std::string& phase,
                          const std::string& kernels, std::int64_t batch);

/// Rates of this machine as a program meets them, best of a few tries.
struct MachineRates {
  double flops = 0.0;  // of a matrix product of float32, by LibTorch or by a 1×1 convolution, whichever is faster
  double bytes = 0.0;  // read and written by a pass over large memory, in place: a copy also fetches what it overwrites
};
MachineRates measured_rates();

}  // namespace edmund
