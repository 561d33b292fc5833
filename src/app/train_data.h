#pragma once

#include "edmund/app/config.h"
#include "edmund/data/fingerprint.h"

#include <filesystem>
#include <optional>

namespace edmund {

/// Checks the images of a training before its first step, as `training.check` says, and answers
/// their fingerprint. Throws Error for damaged images, and for others than those that the newest
/// checkpoint was trained on, unless `training.data_changed` accepts them.
DataFingerprint checked_data(const Experiment& experiment, const std::optional<std::filesystem::path>& newest);

}  // namespace edmund
