#pragma once

#include "edmund/app/run.h"

#include <cmath>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace edmund {

/// One score of a run along its training: evaluations that differ in the checkpoint alone.
struct ScoreCurve {
  struct Point {
    std::int64_t images = 0;  // trained on
    double value = 0.0;
    double low = NAN, high = NAN;  // of the interval; NaN: unknown
  };
  std::string metric, sampling;  // "Fréchet distance (pca, 4-d)", "heun, 18 steps …"
  std::vector<Point> points;     // in the order of training
};
/// Of the rows of scores.json, joined where their `protocol` is one; values that are not known are
/// left out.
std::vector<ScoreCurve> score_curves(const nlohmann::json& rows);

/// Writes the run's scores as events for TensorBoard, anew: events/scores, a scalar for each
/// checkpoint. They lie apart from those of training, which goes on from a checkpoint.
void write_score_events(const RunFolder& run);

}  // namespace edmund
