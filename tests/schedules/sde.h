#pragma once

#include "edmund/core/error.h"
#include "edmund/schedules/noise_schedule.h"
#include "schedules/cases.h"
#include "support/golden.h"

#include <cmath>
#include <memory>
#include <regex>
#include <string>

namespace edmund::testing {

/// An SDE of score_sde as the settings of a golden file describe it: "beta_min 0.1, beta_max 20" or
/// "sigma_min 0.01, sigma_max 50".
struct Sde {
  std::string name;  // vp, subvp or ve
  double low, high;  // β or σ at t = 0 and 1

  Sde(const Golden& golden, const std::string& key) : name(key) {
    std::smatch match;
    const std::string text = golden.settings().at(key).get<std::string>();
    const std::regex ends(key == "ve" ? R"(sigma_min (\S+), sigma_max (\S+))" : R"(beta_min (\S+), beta_max (\S+))");
    require((key == "vp" || key == "subvp" || key == "ve") && std::regex_match(text, match, ends),
            "golden {}: unknown SDE '{}: {}'", golden.name(), key, text);
    low = std::stod(match[1]), high = std::stod(match[2]);
  }

  /// Valid from t_min on.
  std::unique_ptr<NoiseSchedule> continuous(double t_min) const {
    const std::string ends = number_text(low) + (name == "ve" ? ", sigma_max: " : ", beta_max: ") + number_text(high);
    if (name == "ve") return schedule_of("{type: ve, sigma_min: " + ends + "}");
    return schedule_of(std::string("{type: ") + (name == "vp" ? "vp" : "sub_vp") + ", t_min: " + number_text(t_min) +
                       ", beta_min: " + ends + "}");
  }

  /// The VP table of N steps: betas from low/N to high/N.
  std::unique_ptr<NoiseSchedule> table(std::int64_t N) const {
    return schedule_of("{type: ddpm, N: " + std::to_string(N) +
                       ", beta_start: " + number_text(low / static_cast<double>(N)) +
                       ", beta_end: " + number_text(high / static_cast<double>(N)) + "}");
  }

  /// Where the N-step discretization walks: the VP table, or the continuous schedule at the times
  /// entry(k).
  std::unique_ptr<NoiseSchedule> discrete(std::int64_t N) const { return name == "vp" ? table(N) : continuous(0.0); }
  /// Time of entry k, counted from 0, of discrete(N).
  double entry(std::int64_t k, std::int64_t N) const {
    return static_cast<double>(name == "vp" ? k + 1 : k) / static_cast<double>(name == "vp" ? 1 : N - 1);
  }
  /// β of entry k of the VP table; 0 on VE, which does not shrink the signal.
  double beta(std::int64_t k, std::int64_t N) const {
    return name == "ve"
               ? 0.0
               : std::lerp(low, high, static_cast<double>(k) / static_cast<double>(N - 1)) / static_cast<double>(N);
  }

  /// Standard deviation of the prior: the VP SDEs are taken to end in N(0, I).
  double prior_std() const { return name == "ve" ? high : 1.0; }
};

/// score_sde's table index of a time in single precision.
inline std::int64_t table_index(double t, std::int64_t N) {
  return static_cast<std::int64_t>(static_cast<float>(t) * static_cast<float>(N - 1));
}

}  // namespace edmund::testing
