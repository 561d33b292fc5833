#pragma once

#include "disk_guard.h"
#include "edmund/app/run.h"
#include "edmund/generation/image_generator.h"
#include "edmund/io/event_file.h"
#include "edmund/training/checkpoint.h"
#include "edmund/training/metrics_log.h"
#include "train_data.h"
#include "validator.h"

#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <string>

namespace edmund {

/// Image counts at which something is due: multiples of `every` (0: none), seen by a batch that
/// passes one.
inline bool due(std::int64_t before, std::int64_t after, std::int64_t every) {
  return every > 0 && before / every != after / every;
}

/// Everything that a run writes, kept together. What it has gathered is part of a checkpoint, so
/// that logs are those of an uninterrupted run. A disk that does not take it ends no training.
class Recorder {
 public:
  /// `counters`: of the checkpoint at `saved` images that the trainer goes on from, if it does.
  Recorder(Experiment& experiment, const RunFolder& run, Trainer& trainer,
           const std::map<std::string, double>& counters, std::int64_t saved, CheckedData data);

  void log(double images_per_second, double seconds);
  void samples();
  void trajectory();
  /// Begins to save this moment, and deletes what is not to be kept once the disk has taken it:
  /// training goes on meanwhile. If the disk does not take it, it is due again() a minute later.
  /// Throws Diverged in place of saving what is not finite.
  void begin_checkpoint(double seconds);
  /// Looks, after each step, whether a checkpoint that was begun has been written.
  void look_after_checkpoint();
  /// Waits for the checkpoint that was begun, if there is one.
  void finish_checkpoint();
  /// Saves this moment, if it is not saved yet, and returns when that is done or has failed.
  void checkpoint(double seconds, DiskGuard::Tries tries = DiskGuard::Tries::kOne);
  /// Images seen at the last checkpoint that the disk has taken; -1: none.
  std::int64_t saved() const { return saved_; }
  /// The longest time that one took to be written.
  double seconds_to_save() const { return seconds_to_save_; }
  bool again() const { return !writing_.valid() && guard_.due(); }
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
  PackedCheckpoint packed();
  void settle(double seconds);
  // The adapter's file, and the end of checkpoints that are not kept.
  void after_checkpoint();
  // Of a checkpoint at this position, and what follows if the disk takes it.
  void save(std::int64_t images, const std::function<void()>& write, DiskGuard::Tries tries);
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
  std::int64_t saved_ = -1, being_written_ = -1;  // images
  std::future<double> writing_;
  double seconds_to_save_ = 0.0;
};

}  // namespace edmund
