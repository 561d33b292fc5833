#pragma once

#include "edmund/core/philox_layout.h"

#include <array>
#include <cstdint>

namespace edmund {

/// What a random stream is for. Numbers are part of the file format of results: never renumber.
enum class Stream : std::uint32_t {
  kWeights = 1,        // initial weights; sample = index of the parameter
  kOrder = 2,          // data order; sample = epoch
  kNoiseLevel = 3,     // u of σ = levels(u); sample = position in the sequence of training images
  kTrainingNoise = 4,  // ε
  kFlip = 5,           // horizontal flip
  kLabelDropout = 6,
  kDropout = 7,  // network dropout; draw = index of the layer
  // initial noise of a sampled image and the sampler's draws; sample = index of the image
  kLatent = 8,
  kLabel = 9,        // class of a sampled image
  kEvaluation = 10,  // subsets, projections and noise images of evaluation
  kAugment = 11,
  kDequantization = 12,  // uniform noise below the levels of an image; sample = index of the image
  kProbe = 13,           // directions of a trace estimate; sample = index of the image
};

/// Philox4x32-10 (Salmon et al. 2011): four random words from a 128-bit counter and a 64-bit key.
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const std::uint64_t p0 = std::uint64_t{kPhiloxMultiplier0} * counter[0];
    const std::uint64_t p1 = std::uint64_t{kPhiloxMultiplier1} * counter[2];
    counter = {static_cast<std::uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(p1),
               static_cast<std::uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(p0)};
    key[0] += kPhiloxWeyl0;
    key[1] += kPhiloxWeyl1;
  }
  return counter;
}

/// One position in the project's space of random numbers: everything random is a function of these
/// numbers and of nothing else. `sample` < 2^56.
struct RandomKey {
  std::uint64_t seed = 0;
  Stream stream = Stream::kLatent;
  std::uint64_t sample = 0;
  std::uint32_t draw = 0;

  /// key = seed, counter = (block, draw, sample low, sample high ^ stream << 24), on every device.
  constexpr PhiloxKey philox_key() const {
    const auto high = static_cast<std::uint32_t>(sample >> 32) ^ (static_cast<std::uint32_t>(stream) << 24);
    return {{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
            {draw, static_cast<std::uint32_t>(sample), high}};
  }
  /// The four words of a block; `block` counts groups of four words.
  constexpr std::array<std::uint32_t, 4> words(std::uint32_t block) const {
    const PhiloxKey at = philox_key();
    return philox({block, at.counter[0], at.counter[1], at.counter[2]}, {at.key[0], at.key[1]});
  }
};

/// 32 random bits as a double strictly inside (0, 1).
constexpr double open_unit(std::uint32_t word) { return (static_cast<double>(word) + 0.5) * 0x1p-32; }

/// Position `index` of a keyed pseudo-random permutation of 0 … size-1 (Feistel network over
/// Philox, cycle walking). A function of (seed, epoch, index) alone, so that data order needs no
/// state.
std::uint64_t permuted(std::uint64_t index, std::uint64_t size, std::uint64_t seed, std::uint64_t epoch);

}  // namespace edmund
