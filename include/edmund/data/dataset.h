#pragma once

#include "edmund/core/options.h"
#include "edmund/core/table.h"
#include "edmund/core/tensor.h"
#include "edmund/data/fingerprint.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edmund {

struct DatasetInfo {
  std::string name;       // "digits train", for reports
  std::int64_t size = 0;  // images
  std::int64_t channels = 0, height = 0, width = 0;
  std::int64_t num_classes = 0;          // 0: no labels
  std::vector<std::string> class_names;  // num_classes entries, or empty
  // images of each class: num_classes entries, or empty where that is not known
  std::vector<std::int64_t> class_counts = {};
  bool floats = false;  // images are float32, as the model takes them: latents, pictures of 16 bits
};

/// images uint8 [B, C, H, W] in RGB order (float32 where DatasetInfo::floats), labels int64 [B]
/// (zeros without classes).
struct Batch {
  Tensor images, labels;
};

/// Images with class labels, at random access. Thread-safe.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual DatasetInfo info() const = 0;
  /// Throws Error for a damaged image, naming its file; indices in [0, size).
  virtual Batch read(std::span<const std::int64_t> indices) const = 0;
  /// Where image i comes from, for messages.
  virtual std::string file(std::int64_t i) const { return "image " + std::to_string(i); }
  /// Of the files, before anything is resized; empty where none is known.
  virtual DataFingerprint fingerprint() const { return {}; }
};

struct ImageSource;
using DatasetFactory = ImageSource(Options&);
/// Writes a handful of images as the data set's files into an empty folder and returns the options
/// that read them, as YAML: what tests read, and what files of one's own have to look like.
using DatasetExample = std::string(const std::filesystem::path& folder);

/// A data set plugin.
struct DatasetEntry {
  std::string_view name, about, source;  // as in Entry
  DatasetFactory* make;
  DatasetExample* example;
};
std::span<const DatasetEntry> dataset_table();

/// Data set that `type` names, resized as asked. Files and headers of images are checked here:
/// Error names file, place and mend.
///
///   type        digits  see dataset_table(); each type reads further options (root, split, …)
///   size        0       height and width that are asked for, in pixels; 0: the images' own
///   resize      refuse  images of another size: refuse | pad | area | bilinear | bicubic | crop
///                       (see resized)
///   channels    0       1 (grey), 3 (RGB) or 0: the images' own; grey is repeated to RGB, RGB to
///                       grey is refused
///   damaged     refuse  refuse | skip: what becomes of images that cannot be decoded. `skip`
///                       decodes all of them here, and leaves out and counts those that fail
///   max_images  0       largest number of images, chosen by seed; 0: all
///   choice_seed 0       seed of that choice
std::unique_ptr<Dataset> make_dataset(Options& options);

/// A selection of another data set's images, in the order given; keeps a reference to it.
std::unique_ptr<Dataset> subset(const Dataset& whole, std::vector<std::int64_t> indices, std::string name);

/// The whole data set as one batch, for small ones (and for references: at most `limit` images,
/// chosen by seed).
Batch read_all(const Dataset& dataset, std::int64_t limit = 1 << 30, std::uint64_t seed = 0);

/// Mean and standard deviation of all pixels and channels, as the values that a model sees (in [-1,
/// 1] where they are levels): the std is what σ_data of a preconditioning should be.
struct DatasetStatistics {
  double mean = 0, std = 0;
  std::int64_t images = 0;                        // images that were read
  std::vector<double> channel_mean, channel_std;  // of each channel
};
/// Reads at most `max_images` images, chosen by seed 0.
DatasetStatistics statistics(const Dataset& dataset, std::int64_t max_images = 10000);

}  // namespace edmund
