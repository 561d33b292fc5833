#pragma once

#include "edmund/core/tensor.h"

#include <compare>
#include <cstdint>
#include <vector>

namespace edmund {

/// Places of the images of a batch that choose their own steps on the way from 0 to 1. Steps are
/// the whole way halved some times: halved again until the error passes, doubled where 2⁵ times the
/// error (the error of a step of order 5) would pass and the place allows it. Images at one place
/// with one step go together, so that an image takes the same steps in any batch, and a batch costs
/// little more than its most difficult image.
class ImageClocks {
 public:
  explicit ImageClocks(std::int64_t images) : clocks_(static_cast<std::size_t>(images)) {}

  bool done() const;
  /// Where the images that are furthest behind are, and the shortest step that one of them takes
  /// there: 0 where it has been halved too often.
  struct Step {
    double at, length;
  };
  Step next() const;
  /// Takes the error of next() for every image, [B], 1 is allowed; moves those that it was for.
  /// Those that passed, bool [B] on the device of `errors`.
  Tensor advance(const Tensor& errors);

 private:
  static constexpr std::int64_t kWhole = std::int64_t{1} << 40;
  struct Clock {
    std::int64_t at = 0, step = kWhole >> 6;
    auto operator<=>(const Clock&) const = default;
    void advance(double error);
  };
  Clock last() const;
  std::vector<Clock> clocks_;
};

}  // namespace edmund
