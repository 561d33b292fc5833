// Round numbers for the ticks of an axis.

#include "edmund/report/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace edmund {

std::vector<double> round_ticks(double low, double high, std::int64_t count) {
  std::vector<double> ticks;
  const double raw = (high - low) / static_cast<double>(std::max<std::int64_t>(count, 1));
  if (!(raw > 0) || !std::isfinite(raw)) return ticks;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double mantissa = raw / power;
  const double step = power * (mantissa < 1.001 ? 1.0 : mantissa < 2.001 ? 2.0 : mantissa < 5.001 ? 5.0 : 10.0);
  const double slack = 1e-9 * step;
  const double first = std::ceil((low - slack) / step);
  // Multiples of the step, not sums of it: no rounding piles up. The guard ends ranges far from 0
  // where the step is lost to rounding.
  for (std::int64_t i = 0; i < 4 * count + 4; ++i) {
    const double tick = (first + static_cast<double>(i)) * step;
    if (tick > high + slack) break;
    if (ticks.empty() || tick > ticks.back()) ticks.push_back(std::abs(tick) < slack ? 0.0 : tick);
  }
  return ticks;
}

std::vector<double> log_ticks(double low, double high, std::int64_t count) {
  if (!(low > 0) || !(high > low)) return {};
  const auto first = static_cast<std::int64_t>(std::ceil(std::log10(low) - 1e-9));
  const auto last = static_cast<std::int64_t>(std::floor(std::log10(high) + 1e-9));
  std::vector<double> ticks;
  if (last - first >= 1 && high / low > 200) {
    const std::int64_t stride = std::max<std::int64_t>(1, (last - first + count) / std::max<std::int64_t>(count, 1));
    for (std::int64_t power = first; power <= last; ++power)
      if (power % stride == 0 || stride == 1) ticks.push_back(std::pow(10.0, static_cast<double>(power)));
    return ticks;
  }
  for (std::int64_t power = first - 1; power <= last + 1; ++power)
    for (const double digit : {1.0, 2.0, 5.0}) {
      const double tick = digit * std::pow(10.0, static_cast<double>(power));
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push_back(tick);
    }
  return ticks.size() >= 2 ? ticks : round_ticks(low, high, count);
}

}  // namespace edmund
