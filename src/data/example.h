#pragma once

#include "edmund/core/tensor.h"

#include <cstdint>
#include <string>
#include <vector>

// What the data sets' examples are made of (see DatasetEntry).
namespace edmund {

/// Six pictures uint8 [6, channels, side, side], no two alike, of the classes 0, 1, 0, 1, ….
struct ExampleImages {
  Tensor images;
  std::vector<std::int64_t> labels;
};
ExampleImages example_images(std::int64_t channels, std::int64_t side);

/// The values of a uint8 tensor in their order, as bytes.
std::string bytes_of(const Tensor& values);
/// An IDX file of uint8 [N, H, W] or [N].
std::string idx_bytes(const Tensor& values);

}  // namespace edmund
