#pragma once

#include "edmund/app/run.h"
#include "edmund/commands/command.h"

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace edmund::sampling_modes {

/// Arguments of `edmund sample`; each mode reads its own.
struct Flags {
  Target target;
  std::string out, numbers;
  std::optional<std::int64_t> images;
  std::optional<std::int64_t> seed, label;
  bool raw = false, json = false;

  std::string invert;  // folder or file
  std::string steps;   // grid sizes, 16,32
  bool keep_clip = false;
  std::string interpolate;    // A,B[,n]
  std::string inpaint, mask;  // files
  std::int64_t resamples = 10, jump = 1;
  double eta = 1.0;
};

/// What every mode starts with: the model, the seed in use and an output folder that exists.
struct Task {
  TrainedModel trained;
  std::uint64_t seed = 0;
  std::filesystem::path out;

  const Experiment& experiment() const { return trained.experiment; }
};
/// `folder` is the output folder's name in the run unless --out names another.
Task begin(const Flags& flags, const std::string& folder);

/// The integers of a text like 3,14,15, at least `least` of them. Throws Error naming the flag.
std::vector<std::int64_t> integers_of(const std::string& flag, const std::string& text, std::size_t least);
/// Image numbers of --numbers, else 0 … --images (or `fallback`) - 1.
std::vector<std::int64_t> numbers_of(const Flags& flags, std::int64_t fallback);
/// Classes of these images: --class for all of them, else `fallback`. Undefined if the model has
/// none.
Tensor labels_of(const Flags& flags, const ModelShape& shape, const Tensor& fallback, std::int64_t count);

/// A PNG, uint8 [C, H, W], of the model's own shape. Throws Error naming both shapes.
Tensor image_like(const std::filesystem::path& file, const ModelShape& shape);

/// 000042.png
std::string file_name(std::int64_t number);
/// One PNG an image, 000042.png, in the folder.
void write_images(const std::filesystem::path& folder, const std::vector<std::int64_t>& numbers, const Tensor& images);
/// A sheet of images uint8 [N, C, H, W], small ones enlarged.
void write_sheet(const std::filesystem::path& file, const Tensor& images, std::int64_t columns);

/// Writes `facts` beside the images as `name`, behind what every mode states; prints them as JSON
/// or `line`.
ExitCode report(const Flags& flags, const Task& task, const std::string& name, const nlohmann::ordered_json& facts,
                const std::string& line);

/// The modes: plain drawing and those of --invert, --interpolate and --inpaint.
ExitCode draw(const Flags& flags);
ExitCode invert(const Flags& flags);
ExitCode interpolate(const Flags& flags);
ExitCode inpaint(const Flags& flags);

}  // namespace edmund::sampling_modes
