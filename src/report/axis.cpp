// An axis of a plot: its range, where its ticks lie and what stands at them.

#include "axis.h"

#include "edmund/core/text.h"
#include "edmund/report/svg.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace edmund {
namespace {

/// Four digits; thousands as k, M, G; powers of ten far from one as 10⁻⁵ on log axes. `step`:
/// distance of the ticks, whose digits must show.
std::string tick_label(double value, bool log, double step) {
  const double size = std::abs(value), power = std::log10(size);
  if (log && value != 0.0 && std::abs(power) > 3.5 && std::abs(power - std::round(power)) < 1e-9) {
    static constexpr std::array<std::string_view, 10> kSuperscript = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
    std::string text = power < 0 ? "10⁻" : "10";
    for (const char digit : std::to_string(std::llabs(std::llround(power))))
      text += kSuperscript[static_cast<std::size_t>(digit - '0')];
    return text;
  }
  for (const auto& [unit, letter] : {std::pair{1e9, "G"}, {1e6, "M"}, {1e3, "k"}})
    if (size >= 1e4 && size >= unit && size < 1e13 && (log || step >= unit / 1000))
      return short_number(value / unit) + letter;
  const int digits =
      value == 0.0 || step <= 0
          ? 4
          : static_cast<int>(std::clamp(std::floor(power) - std::floor(std::log10(step)) + 1, 4.0, 15.0));
  char text[40];
  std::snprintf(text, sizeof text, "%.*g", digits, value);
  return text;
}

}  // namespace

std::string Axis::label(double tick) const {
  if (!names.empty())
    return names[static_cast<std::size_t>(std::clamp(tick, 0.0, static_cast<double>(names.size() - 1)))];
  return tick_label(tick, log, log || ticks.size() < 2 ? 0.0 : ticks[1] - ticks[0]);
}

void Axis::settle(double air, std::int64_t count) {
  if (!names.empty()) {
    low = static_cast<double>(names.size()) - 0.5;
    high = -0.5;
    for (std::size_t i = 0; i < names.size(); ++i) ticks.push_back(static_cast<double>(i));
    return;
  }
  if (empty()) {
    low = log ? 1.0 : 0.0;
    high = log ? 10.0 : 1.0;
  } else if (log) {
    const double factor = high / low < 1 + 1e-6 ? 2.0 : std::pow(std::min(high / low, kLargest), air);
    low /= factor;
    high *= factor;
  } else {
    const double spread = high - low, size = std::max(std::abs(low), std::abs(high));
    const double margin = spread > 1e-9 * size ? spread * air : size > 0 ? 0.1 * size : 1.0;
    // a range that nearly begins at 0 begins there
    const bool at_zero = low >= 0 && low < 0.1 * high && spread > 0;
    low = at_zero ? 0.0 : low - margin;
    high += margin;
  }
  ticks = log ? log_ticks(low, high, count) : round_ticks(low, high, count);
}

std::vector<double> fine_ticks(const Axis& axis) {
  std::vector<double> ticks;
  if (!axis.log || axis.high / axis.low > 1e7) return ticks;
  for (double power = std::pow(10.0, std::floor(std::log10(axis.low))); power < axis.high; power *= 10)
    for (int digit = 2; digit < 10; ++digit)
      if (digit * power > axis.low && digit * power < axis.high) ticks.push_back(digit * power);
  return ticks;
}

}  // namespace edmund
