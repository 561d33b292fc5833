#pragma once

#include "edmund/core/appended_file.h"
#include "edmund/training/loss_bins.h"
#include "edmund/training/trainer.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace edmund {

/// Means over the steps since the last line of metrics.jsonl: loss, gradient norm, and the loss by
/// bins of the objective's clock (noise level). What depends on how fast the machine was stands in
/// timing.jsonl beside it, so that metrics.jsonl is the same however often a run was interrupted.
class MetricsLog {
 public:
  /// Bins over the clock's range, equal in its logarithm. Lines past `images` (of a run that died
  /// after its checkpoint) are dropped.
  MetricsLog(const std::filesystem::path& file, const LossClock& clock, std::int64_t images);

  void add(const StepReport& report);
  bool empty() const { return steps_ == 0; }
  double mean_loss() const { return loss_ / static_cast<double>(steps_ > 0 ? steps_ : 1); }
  double mean_gradient_norm() const { return gradient_norm_ / static_cast<double>(steps_ > 0 ? steps_ : 1); }
  double learning_rate() const { return last_.learning_rate; }  // of the last step
  const LossBins& bins() const { return bins_; }
  /// Writes one line to each file and starts anew. `seconds`: training time of the run so far. What
  /// the disk does not take waits for flush().
  void write(double images_per_second, double seconds, std::int64_t skipped);
  /// Writes what waits for the disk. Throws DiskError.
  void flush();
  /// Before a checkpoint of `images`: notes the time, and waits until the disk has all lines.
  /// Throws DiskError.
  void settle(std::int64_t images, double seconds);
  /// Training time until the position that was gone on from, as far as timing.jsonl tells.
  double seconds_before() const { return seconds_before_; }

  /// The sums of the steps since the last line, for a checkpoint's counters, and back.
  void save(std::map<std::string, double>& counters) const;
  void restore(const std::map<std::string, double>& counters);

 private:
  AppendedFile file_, timing_;
  double seconds_before_ = 0.0;
  StepReport last_;
  double loss_ = 0.0, gradient_norm_ = 0.0;
  std::int64_t steps_ = 0;
  LossBins bins_;
};

}  // namespace edmund
