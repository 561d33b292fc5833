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

inline std::unique_ptr<NoiseSchedule> schedule(std::string_view yaml) { return made(make_schedule, yaml); }

/// Every entry of the schedule table with its defaults under each scale, and the variants that options choose.
inline std::vector<std::string> schedule_cases() {
  std::vector<std::string> out;
  for (const auto& entry : schedule_table())
    for (const char* scale : {"own", "unit", "variance_preserving"})
      out.push_back("{type: " + std::string(entry.name) + ", scale: " + scale + "}");
  for (const char* more :
       {"{type: ve, clock: sqrt}", "{type: ve, clock: sqrt, scale: variance_preserving}", "{type: vp, t_min: 1e-5}",
        "{type: vp, sigma_min: 0.002, sigma_max: 80}", "{type: vp, t_min: 0.05, sigma_min: 0.1, sigma_max: 5}",
        "{type: vp, beta_min: 20, beta_max: 0.1}", "{type: vp, beta_min: 0, beta_max: 20}",
        "{type: sub_vp, t_min: 1e-5}", "{type: edm, sigma_min: 1e-5, sigma_max: 1e4}",
        "{type: flow, t_min: 1e-6, t_max: 0.999999}", "{type: cosine, t_min: 1e-6, t_max: 0.999999}",
        "{type: ddpm, betas: cosine}", "{type: ddpm, betas: scaled_linear}", "{type: ddpm, betas: sigmoid}",
        "{type: ddpm, interpolation: linear_log_alpha}", "{type: ddpm, betas: scaled_linear, zero_terminal_snr: true}",
        "{type: ddpm, betas: cosine, N: 50, interpolation: linear_log_alpha}",
        "{type: ddpm, N: 2, beta_start: 0.1, beta_end: 0.9}"})
    out.emplace_back(more);
  return out;
}

}  // namespace edmund::testing
