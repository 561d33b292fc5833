#pragma once

#include "edmund/core/options.h"
#include "edmund/schedules/noise_schedule.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund::testing {

inline Options options(std::string_view yaml) { return Options::read_text(yaml, "test"); }

/// What `make` builds from the options; throws Error with all mistakes in them.
template <typename Make, typename... Args>
auto made(Make&& make, std::string_view yaml, const Args&... args) {
  Options all = options(yaml);
  auto result = make(all, args...);
  all.finish();
  return result;
}

inline std::unique_ptr<NoiseSchedule> schedule_of(std::string_view yaml) { return made(make_schedule, yaml); }

/// Every entry of the schedule table with its defaults under each scale, and its variants.
inline std::vector<std::string> schedule_cases() {
  std::vector<std::string> out;
  for (const auto& entry : schedule_table()) {
    for (const char* scale : {"own", "unit", "variance_preserving"})
      out.push_back("{type: " + example_of(entry) + ", scale: " + scale + "}");
    for (const auto variant : entry.variants) out.push_back(format("{type: {}, {}}", entry.name, variant));
  }
  return out;
}

/// Those of them that span these noise levels.
inline std::vector<std::string> schedules_that_span(Interval sigmas) {
  std::vector<std::string> out = schedule_cases();
  std::erase_if(out, [&](const std::string& yaml) {
    const Interval own = schedule_of(yaml)->sigmas();
    return own.low > sigmas.low || own.high < sigmas.high;
  });
  return out;
}

}  // namespace edmund::testing
