#pragma once

#include "edmund/app/run.h"
#include "edmund/io/event_file.h"
#include "edmund/training/validation.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace edmund {

/// Mean losses at each place of the clock as scalars: "training/loss at sigma 0.1234".
void add_bins(EventFile& events, std::string_view what, const LossBins& loss, std::int64_t position);

/// The held-out images that a training measures itself on; null if it does not. Throws Error where
/// they do not fit the model.
std::unique_ptr<Dataset> validation_data(const Experiment& experiment);

/// Measures the averaged weights of a training on held-out images at its checkpoints.
class Validator {
 public:
  /// Reads what the run has measured until the trainer's position. `held_out`: validation_data().
  Validator(const Experiment& experiment, const RunFolder& run, const Trainer& trainer,
            std::unique_ptr<Dataset> held_out);

  /// Measures, logs and records the position of the trainer, unless that was done before.
  void measure(EventFile& events);
  /// Positions whose checkpoints are to be kept.
  std::vector<std::int64_t> best() const { return log_.best(settings_.keep_best); }
  /// Whether the loss has not fallen for `patience` images.
  bool exhausted() const { return log_.exhausted(settings_.patience, trainer_.images()); }

 private:
  const Trainer& trainer_;
  ValidationSettings settings_;
  std::int64_t batch_;
  std::unique_ptr<Dataset> held_out_;
  std::vector<std::int64_t> images_;
  std::unique_ptr<Trainable> objective_;
  ValidationLog log_;
};

}  // namespace edmund
