#pragma once

#include "edmund/core/tensor.h"
#include "edmund/ops/ops.h"

#include <c10/core/Device.h>
#include <cmath>
#include <functional>
#include <memory>
#include <vector>

/// Work on a GPU that is recorded once (a CUDA graph) and then replayed as a whole, so that no time
/// goes into launching its kernels.
namespace edmund::ops {

class Graph {
 public:
  virtual ~Graph() = default;
  /// Runs `work`: directly for the first calls, then while recording it; from then on the recording
  /// is replayed and `work` itself is ignored. So numbers of the host keep the values that they had
  /// when recorded; what changes between calls, and every result, must lie in tensors made outside.
  /// Nothing in `work` may wait for the GPU (item(), cpu(), copies from the host).
  virtual void run(const std::function<void()>& work) = 0;
  /// Whether the next run replays.
  virtual bool recorded() const = 0;
};

/// Runs directly `warm_up` times, at least once, while libraries choose their algorithms. Throws
/// Error for the CPU unless a recorder is set.
std::unique_ptr<Graph> make_graph(at::Device device, int warm_up);

/// Lets `make` record the CPU's work, which records() then asks for like a GPU's; nullptr: it is
/// not recorded. For tests of recorded work where there is no GPU. What `make` returns may run the
/// work that it recorded again, so that the work must not refer to what is gone by then.
using GraphFactory = std::unique_ptr<Graph>(int warm_up);
void set_cpu_recorder(GraphFactory* make);

/// The numbers of an Adam step that change from step to step: share of the parameters that decays,
/// 1/√correction2, step size, factor of the gradient, 1 - β of each EMA. To be copied to the GPU
/// before a replay. Differences from 1 are taken in double: of 1 - 0.99999 float32 keeps three
/// digits, of the decay of 1e-4·0.01 one.
inline std::vector<float> adam_terms(const AdamStep& args) {
  const auto t = static_cast<double>(args.step);
  const double correction1 = 1.0 - std::pow(args.beta1, t), correction2 = 1.0 - std::pow(args.beta2, t);
  std::vector<float> terms = {
      static_cast<float>(args.learning_rate * args.weight_decay), static_cast<float>(1.0 / std::sqrt(correction2)),
      static_cast<float>(args.learning_rate / correction1), static_cast<float>(args.gradient_scale)};
  for (const double beta : args.ema_beta) terms.push_back(static_cast<float>(1.0 - beta));
  return terms;
}

/// What an Adam step finds out only where the parameters lie.
struct LiveAdam {
  /// adam_terms(), float32, in place of what AdamStep says: recorded work reads them anew.
  /// Undefined:
  /// AdamStep's own. Only the fast operators read them.
  Tensor terms = {};
  Tensor norm = {};             // of the gradient, []: the step decides by it
  double clip_norm = 0.0;       // longer gradients are cut to this; 0: none
  bool skip_nonfinite = false;  // a gradient without a finite norm changes nothing
  /// What rounding left of each EMA, [P] each, which is then the sum of both: updates below half a
  /// unit in the last place are not lost. None: an EMA may come to rest as far from constant
  /// parameters as 2^-24·|ema|/(1 - β) in float32.
  std::vector<Tensor> ema_rests = {};
};
/// adam_ema() that clips, or skips the step, by the gradient's norm, without waiting for a GPU.
void adam_ema(Tensor& parameters, const std::vector<GradientPiece>& gradient, Tensor& first_moment,
              Tensor& second_moment, std::vector<Tensor>& ema, const AdamStep& args, const LiveAdam& live);

}  // namespace edmund::ops
