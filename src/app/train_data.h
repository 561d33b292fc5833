#pragma once

#include "edmund/app/config.h"
#include "edmund/data/fingerprint.h"

#include <filesystem>
#include <memory>
#include <optional>

namespace edmund {

/// What a training was found to learn from, and the held-out images that it measures itself on
/// (null: none).
struct CheckedData {
  DataFingerprint fingerprint;
  std::unique_ptr<Dataset> held_out;
};

/// Checks the images of a training before its first step, as `training.check` says, and those that
/// are held out, and answers the fingerprint. Throws Error for damaged images, held-out ones that
/// do not fit the model, and for others than those that the newest
/// checkpoint was trained on, unless `training.data_changed` accepts them.
CheckedData checked_data(const Experiment& experiment, const std::optional<std::filesystem::path>& newest);

}  // namespace edmund
