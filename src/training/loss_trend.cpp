#include "edmund/training/loss_trend.h"

#include "edmund/training/counters.h"

#include <algorithm>
#include <cmath>

namespace edmund {
namespace {

constexpr double kSteps = 16.0, kImages = 256.0, kFloor = 1e-4;

}  // namespace

void LossTrend::add(double loss, std::int64_t images) {
  if (!std::isfinite(loss) || loss <= 0.0) return;
  const bool is_first = weight_ == 0.0;
  if (is_first) first_ = std::log(loss);
  const double value = std::max(std::log(loss), first_ + std::log(kFloor));
  weight_ = weight_ * std::exp(-1.0 / kSteps) + 1.0;
  mean_ += (value - mean_) / weight_;
  images_ += static_cast<double>(images);
  const double here = mean_ + std::log(std::max(1.0, kImages / images_));
  lowest_ = is_first ? here : std::min(lowest_, here);
}

double LossTrend::rise() const { return std::exp(mean_ - lowest_); }

double LossTrend::mean() const { return weight_ > 0.0 ? std::exp(mean_) : 0.0; }

void LossTrend::save(std::map<std::string, double>& counters) const {
  if (weight_ == 0.0) return;
  counters["trend.weight"] = weight_;
  counters["trend.mean"] = mean_;
  counters["trend.lowest"] = lowest_;
  counters["trend.first"] = first_;
  counters["trend.images"] = images_;
}

void LossTrend::restore(const std::map<std::string, double>& counters) {
  *this = {};
  weight_ = counter(counters, "trend.weight");
  mean_ = counter(counters, "trend.mean");
  lowest_ = counter(counters, "trend.lowest");
  first_ = counter(counters, "trend.first");
  images_ = counter(counters, "trend.images");
}

}  // namespace edmund
