#pragma once

#include "edmund/core/progress.h"
#include "edmund/generation/image_generator.h"
#include "edmund/io/png_text.h"
#include "sample.h"

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace edmund::sampling_modes {

/// The pictures of one drawing in a folder, and the manifest beside them that says what they are
/// of: begun before the first is drawn, so that the same command goes on where it stopped and no
/// other pictures are mixed with them or lost.
class Pictures {
 public:
  /// `settings`: what the pictures depend on beside model, sampling, weights and seed. The folder
  /// is --out; without it `folder` of the run, or if that holds another drawing,
  /// `folder`-FINGERPRINT.
  /// Throws Error if --out names a folder of other pictures, unless --overwrite deletes what its
  /// manifest lists.
  Pictures(const Flags& flags, const Task& task, const std::string& folder, const std::string& manifest,
           const nlohmann::ordered_json& settings, std::vector<std::int64_t> numbers);

  const std::filesystem::path& folder() const { return folder_; }
  const std::vector<std::int64_t>& numbers() const { return numbers_; }
  std::int64_t count() const { return std::ssize(numbers_); }
  const std::string& fingerprint() const { return fingerprint_; }
  /// How many of them are drawn already.
  std::int64_t there() const;

  /// For a draw of these numbers that leaves out batches that are there and keeps the others as
  /// they come.
  DrawSettings kept(Progress& progress);
  /// Writes the pictures of a batch, uint8 [B, C, H, W], from numbers()[first] on.
  void write(std::int64_t first, const Generated& batch);
  /// Network evaluations an image, of all batches whoever drew them.
  std::int64_t evaluations() const { return evaluations_; }
  /// Images that this process drew.
  std::int64_t drawn() const { return drawn_; }
  /// The first pictures, from the disk: uint8 [count, C, H, W].
  Tensor first(std::int64_t count) const;

  /// A sheet of images uint8 [N, C, H, W], small ones enlarged.
  void write_sheet(const Tensor& images, std::int64_t columns) const;
  std::filesystem::path sheet() const;
  /// All are there: writes `facts` into the manifest, behind what every mode states, and prints it
  /// as JSON, or `line`.
  ExitCode report(const nlohmann::ordered_json& facts, const std::string& line);

 private:
  std::string take_up();
  bool has(std::int64_t first, std::int64_t count) const;
  nlohmann::ordered_json manifest(bool finished, const nlohmann::ordered_json& facts) const;
  void write_manifest(bool finished, const nlohmann::ordered_json& facts);

  std::filesystem::path folder_, manifest_;
  nlohmann::ordered_json about_;
  std::string fingerprint_;
  PngTexts texts_;                              // that each picture carries
  std::vector<std::int64_t> numbers_, listed_;  // of this command; all that the manifest lists
  std::int64_t evaluations_ = 0, drawn_ = 0;
  bool overwrite_, dry_run_, json_;
};

}  // namespace edmund::sampling_modes
