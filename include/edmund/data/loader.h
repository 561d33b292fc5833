#pragma once

#include "edmund/core/tensor.h"
#include "edmund/data/augment.h"
#include "edmund/data/dataset.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace edmund {

struct LoaderSettings {
  std::int64_t batch_size = 64;
  std::int64_t threads = 1;   // that decode; 0: next() decodes itself
  std::int64_t prefetch = 4;  // batches
  std::uint64_t seed = 0;
  bool flip = false;       // horizontal, with probability one half
  std::int64_t start = 0;  // global position of the first image: images trained on so far
  AugmentSettings augment = {};
};

/// A batch of training: image k of the run stands at global position k, whatever the number of
/// threads or batches ahead.
struct TrainingBatch {
  // uint8 or float32 [B, C, H, W], see Batch; augmented: float32
  Tensor images;
  Tensor labels;                        // int64 [B]
  std::vector<std::int64_t> positions;  // global positions, [B]
  Tensor augment = {};                  // float32 [B, A]: what the network is told; or undefined
};

/// Index of the image at a global position: a keyed permutation of each epoch.
std::int64_t data_index(std::int64_t position, std::int64_t size, std::uint64_t seed);

/// Endless batches in order; decodes on worker threads. Keeps a reference to the data set. An Error
/// of a worker is thrown by next() when its batch is due, and again by each call after that.
class Loader {
 public:
  Loader(const Dataset& dataset, const LoaderSettings& settings);
  ~Loader();
  TrainingBatch next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace edmund
