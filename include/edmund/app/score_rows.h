#pragma once

#include "edmund/app/run.h"
#include "edmund/evaluation/scores.h"

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace edmund {

/// Everything that the numbers of an evaluation depend on: two evaluations are the same if these
/// texts are.
struct EvaluationFacts {
  std::string weights;   // checksum
  std::string images;    // "64 drawn, seed 0, …", or "checksum … of folder …"
  std::string sampling;  // key=value of all that images depend on; "" for images of a folder
  std::string scoring;   // features, reference, real images, metrics
  /// Checksum of them all: `evaluation` of a row of scores.json.
  std::string fingerprint() const;
  /// The same without the weights, `protocol` of a row: two checkpoints with one are compared.
  std::string protocol() const;
};

/// key=value of every key of `sampling:` that drawn images depend on.
std::string sampling_facts(const Experiment& experiment);

/// What tells this way to sample and its images from what the run's own config says: "S_churn=3",
/// "raw weights", "checkpoint 80", "seed 1" …; `own` is that config, as the checkpoint has it.
std::vector<std::string> differences(const TrainedModel& trained, Weights weights, const Experiment& own);

/// A score as scores.json has it: value, error, 95 % interval, bias, floor and ceiling with the
/// sizes of the sets that each compares; null is what is not known.
nlohmann::ordered_json json_of(const Score& score);

/// The rows of scores.json, each with its checksum if it has one. Damaged ones are left out, with a
/// warning; none where there is no such file.
std::vector<nlohmann::ordered_json> whole_rows(const std::filesystem::path& file);

/// The row of this `evaluation` among them, without its checksum.
std::optional<nlohmann::ordered_json> kept_row(const std::string& evaluation, const std::filesystem::path& file);

/// Puts the row into the list of scores.json: in the place of one of the same `evaluation`, else
/// behind the others. Where another evaluation has its name, a number is added to it, with a
/// warning. Every row gets a checksum. A file with damage is kept beside it as scores.damaged.json.
void keep_row(nlohmann::ordered_json& row, const std::filesystem::path& file);

}  // namespace edmund
