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
  /// Does `work`: the first times as it is, then by recording it, from then on by replaying the
  /// record, whatever `work` says then. So numbers of the host are what they were at the record;
  /// what differs from time to time, and every result, must lie in tensors that were made outside.
  /// Nothing in `work` may wait for the GPU (item(), cpu(), copies from the host).
  virtual void run(const std::function<void()>& work) = 0;
  /// Whether the next run replays.
  virtual bool recorded() const = 0;
};

/// Runs as it is `warm_up` times, at least once: libraries choose their algorithms then. Throws
/// Error where records() is false because work cannot be recorded there: on the CPU without a
/// recorder.
std::unique_ptr<Graph> make_graph(at::Device device, int warm_up);

/// Makes a Graph that runs as it is `warm_up` times.
using Recorder = std::unique_ptr<Graph>(int warm_up);
/// Nothing is recorded on the CPU, so recorded work would go untested on machines without a GPU:
/// tests set a recorder that keeps the work and replays it there. Null (the default): none.
void set_cpu_recorder(Recorder* recorder);

/// What of an Adam step changes from step to step: decay, 1/√correction2, step size, factor of the
/// gradient, β of each EMA. To be copied to the GPU before a replay.
inline std::vector<float> adam_terms(const AdamStep& args) {
  const auto t = static_cast<double>(args.step);
  const double correction1 = 1.0 - std::pow(args.beta1, t), correction2 = 1.0 - std::pow(args.beta2, t);
  std::vector<float> terms = {static_cast<float>(1.0 - args.learning_rate * args.weight_decay),
                              static_cast<float>(1.0 / std::sqrt(correction2)),
                              static_cast<float>(args.learning_rate / correction1),
                              static_cast<float>(args.gradient_scale)};
  terms.insert(terms.end(), args.ema_beta.begin(), args.ema_beta.end());
  return terms;
}

/// What an Adam step finds out only where the parameters lie.
struct LiveAdam {
  /// adam_terms(), float32, in place of what AdamStep says: recorded work reads them anew. Undefined:
  /// AdamStep's own. Only the fast operators read them.
  Tensor terms = {};
  Tensor norm = {};             // of the gradient, []: the step decides by it
  double clip_norm = 0.0;       // longer gradients are cut to this; 0: none
  bool skip_nonfinite = false;  // a gradient without a finite norm changes nothing
};
/// adam_ema() that clips, or skips the step, by the gradient's norm, without waiting for a GPU.
void adam_ema(Tensor& parameters, const std::vector<GradientPiece>& gradient, Tensor& first_moment,
              Tensor& second_moment, std::vector<Tensor>& ema, const AdamStep& args, const LiveAdam& live);

}  // namespace edmund::ops
