#pragma once

#include "edmund/commands/command.h"
#include "weights.h"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace edmund {

/// Arguments of `edmund evaluate`.
struct EvaluateFlags {
  Target target;
  std::string name, folder;
  WeightsFlags weights;
  bool json = false;
  bool reuse = false;  // takes the row that the run has of the same evaluation, if it has one
};

/// Draws, scores, keeps the row in the run's scores.json and updates its report. Returns the row.
nlohmann::ordered_json evaluated(const EvaluateFlags& flags);

}  // namespace edmund
