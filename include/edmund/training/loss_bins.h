#pragma once

#include "edmund/training/trainable.h"

#include <cstddef>
#include <string>
#include <vector>

namespace edmund {

/// Means of losses by where on the clock of their process (noise level) they stand: bins over the
/// clock's range, equal in its logarithm. What lies outside falls into the first or the last.
class LossBins {
 public:
  static constexpr std::size_t kCount = 12;
  struct Bin {
    double center, loss;  // center: geometric
    double count;
  };

  explicit LossBins(const LossClock& clock);
  void add(double place, double loss);
  void clear();
  /// What one bin holds, for whoever keeps and restores it: the sum of its losses, and how many.
  double sum(std::size_t bin) const { return sums_[bin]; }
  double count(std::size_t bin) const { return counts_[bin]; }
  void set(std::size_t bin, double sum, double count);
  /// Those that hold something, in order.
  std::vector<Bin> filled() const;
  /// Mean over all that was added; NaN if that is nothing.
  double mean() const;
  /// What the clock is called: "sigma".
  const std::string& clock() const { return clock_; }

 private:
  std::string clock_;
  double low_, high_;  // logarithms of the range
  std::vector<double> sums_, counts_;
};

}  // namespace edmund
