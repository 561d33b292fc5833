#pragma once

#include "edmund/data/dataset.h"
#include "edmund/data/image_source.h"

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace edmund {

/// What reading images found.
struct Examination {
  std::int64_t images = 0;  // that were read
  // why images cannot be read, by their number
  std::map<std::int64_t, std::string> faults;
  std::map<std::array<std::int64_t, 3>, std::int64_t> shapes;  // [C, H, W] → how many have it
  // an image and the first one of the very same values, by their numbers
  std::vector<std::pair<std::int64_t, std::int64_t>> twins;
  DatasetStatistics pixels;  // of what could be read
};

/// Reads images on all threads until all are read or `seconds` have passed. Shows progress; memory
/// is some bytes an image. Throws Interrupted if the process was asked to stop.
Examination examined(const Dataset& dataset, double seconds = std::numeric_limits<double>::infinity());
/// The same before anything is resized.
Examination examined(const ImageSource& source);

/// Throws Error if some images cannot be read, naming the first ten and their number.
void require_whole(const Examination& found);

/// What may spoil a training, one line each: images that stand twice, classes without images.
/// `file`: where an image comes from.
std::vector<std::string> remarks(const Examination& found, const DatasetInfo& info,
                                 const std::function<std::string(std::int64_t)>& file);

/// Says that sigma_data of a preconditioning is far (by more than a fifth) from the images'
/// standard deviation; empty if it is not.
std::string sigma_data_remark(double assumed, double measured);

}  // namespace edmund
