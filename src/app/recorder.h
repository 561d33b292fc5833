#pragma once

#include "disk_guard.h"
#include "edmund/app/run.h"
#include "edmund/generation/image_generator.h"
#include "edmund/io/event_file.h"
#include "edmund/training/metrics_log.h"
#include "validator.h"

#include <map>
#include <string>

namespace edmund {

/// Everything that a run writes, kept together. What it has gathered is part of a checkpoint, so
/// that logs are those of an uninterrupted run. A disk that does not take it ends no training.
class Recorder {
 public:
  /// `counters`: of the checkpoint that the trainer goes on from, if it does.
  Recorder(Experiment& experiment, const RunFolder& run, Trainer& trainer,
           const std::map<std::string, double>& counters, DataFingerprint data);

  void log(double images_per_second, double seconds);
  void samples();
  void trajectory();
  /// Saves, and deletes what is not to be kept; answers whether the disk took it. If not, it is due
  /// again() a minute later. Throws Diverged in place of saving what is not finite.
  bool checkpoint(double seconds, DiskGuard::Tries tries = DiskGuard::Tries::kOne);
  bool again() const { return guard_.due(); }
  /// Whether the disk has taken no checkpoint for too long.
  bool given_up() const { return guard_.exhausted(); }
  /// Before the checkpoint of the same moment, from which a run would go on without it.
  bool keep_averages();

  void validate() {
    guard_.attempt("validation", [&] { validator_.measure(events_); });
  }
  /// Whether held-out images have told that training is to end.
  bool enough() const { return validator_.exhausted(); }

  MetricsLog& metrics() { return metrics_; }

 private:
  void save();
  // A new one each time: what it records would hold memory while training goes on.
  ImageGenerator generator();
  std::int64_t zoom() const;

  Experiment& experiment_;
  RunFolder run_;
  Trainer& trainer_;
  EventFile events_;
  MetricsLog metrics_;
  Validator validator_;
  std::string config_, resolved_;
  DataFingerprint data_;
  DiskGuard guard_;
};

}  // namespace edmund
