#include "edmund/training/loss_bins.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace edmund {

LossBins::LossBins(const LossClock& clock)
    : clock_(clock.name),
      low_(std::log(clock.range.low)),
      high_(std::log(clock.range.high)),
      sums_(kCount),
      counts_(kCount) {}

void LossBins::add(double place, double loss) {
  // All noise levels may be one.
  const double share = high_ > low_ ? (std::log(place) - low_) / (high_ - low_) : 0.0;
  const auto bin = static_cast<std::size_t>(std::clamp(share * kCount, 0.0, kCount - 1.0));
  sums_[bin] += loss;
  counts_[bin] += 1.0;
}

void LossBins::clear() {
  std::fill(sums_.begin(), sums_.end(), 0.0);
  std::fill(counts_.begin(), counts_.end(), 0.0);
}

void LossBins::set(std::size_t bin, double sum, double count) {
  sums_[bin] = sum;
  counts_[bin] = count;
}

std::vector<LossBins::Bin> LossBins::filled() const {
  std::vector<Bin> out;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (counts_[i] == 0.0) continue;
    const double center = std::exp(low_ + (static_cast<double>(i) + 0.5) * (high_ - low_) / kCount);
    out.push_back({center, sums_[i] / counts_[i], counts_[i]});
  }
  return out;
}

double LossBins::mean() const {
  const double count = std::accumulate(counts_.begin(), counts_.end(), 0.0);
  if (count == 0.0) return std::numeric_limits<double>::quiet_NaN();
  return std::accumulate(sums_.begin(), sums_.end(), 0.0) / count;
}

}  // namespace edmund
