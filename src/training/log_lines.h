#pragma once

#include "edmund/training/loss_bins.h"

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace edmund {

/// Lines of a run's log, one JSON object each, up to a position of the run. A line that a killed
/// process left unfinished is dropped with those after it.
std::string lines_until(const std::filesystem::path& file, std::int64_t images);

/// The filled bins: [{clock: center, loss, count}, …].
nlohmann::ordered_json json_of(const LossBins& bins);

}  // namespace edmund
