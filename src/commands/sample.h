#pragma once

#include "edmund/app/run.h"
#include "edmund/commands/command.h"
#include "weights.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace edmund::sampling_modes {

/// Arguments of `edmund sample`; each mode reads its own.
struct Flags {
  Target target;
  std::string out;
  std::vector<std::int64_t> numbers;
  std::optional<std::int64_t> images;
  std::optional<std::int64_t> seed;
  std::string label;  // class by name or number
  WeightsFlags weights;
  bool json = false, overwrite = false, dry_run = false, gif = false;
  std::string raw_out, noise, npz;  // files
  std::string like;                 // a picture

  std::string invert;               // folder or file
  std::vector<std::int64_t> steps;  // grid sizes
  bool keep_clip = false;
  std::vector<std::int64_t> interpolate;  // A, B and n, if it is given
  std::string inpaint, mask;              // files
  std::int64_t resamples = 10, jump = 1;
  double eta = 1.0;
};

/// What every mode starts with: the model and the seed in use.
struct Task {
  TrainedModel trained;
  std::uint64_t seed = 0;

  const Experiment& experiment() const { return trained.experiment; }
};
Task begin(const Flags& flags);

/// Which classes the pictures have, for the manifest: --class, or by which rule.
std::string class_rule(const Flags& flags, const Experiment& experiment);
/// Image numbers of --numbers, else 0 … --images (or `fallback`) - 1.
std::vector<std::int64_t> numbers_of(const Flags& flags, std::int64_t fallback);
/// --class as a number: the class of this name, else of this number. Empty without --class. Throws
/// Error naming the nearest class.
std::optional<std::int64_t> class_of(const Flags& flags, const ModelShape& shape);
/// Classes of these images: --class for all of them, else `fallback`. Undefined if the model has
/// none.
Tensor labels_of(const Flags& flags, const ModelShape& shape, const Tensor& fallback, std::int64_t count);

/// A PNG, uint8 [C, H, W], of the model's own shape. Throws Error naming both shapes.
Tensor image_like(const std::filesystem::path& file, const ModelShape& shape);

/// 000042.png
std::string file_name(std::int64_t number);
/// The modes: plain drawing and those of --invert, --interpolate and --inpaint.
ExitCode draw(const Flags& flags);
ExitCode invert(const Flags& flags);
ExitCode interpolate(const Flags& flags);
ExitCode inpaint(const Flags& flags);

}  // namespace edmund::sampling_modes
