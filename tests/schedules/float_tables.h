#pragma once

#include "edmund/schedules/betas.h"
#include "support/golden.h"

#include <algorithm>
#include <ATen/ops/tensor.h>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <string>
#include <vector>

namespace edmund::testing {

/// |ours - reference| ≤ allowed, entry by entry.
inline void check_within(Golden& golden, const std::string& name, const std::vector<double>& ours,
                         const std::vector<double>& allowed) {
  const Tensor scale = at::tensor(allowed);
  golden.check_each_of(name, at::tensor(ours) / scale, golden.real(name) / scale, 0.0, 1.0);
}

/// What float32 leaves uncertain of each entry of a reference's table, relative to 1 - β and to ᾱ:
/// β next to 1 is rounded by 2^-24, and zero terminal SNR subtracts √ᾱ_N from √ᾱ_t, both rounded.
/// `betas`: before the rescaling.
inline std::vector<double> float_uncertainty(const std::vector<double>& betas, bool zero_snr) {
  const double ulp = std::ldexp(1.0, -24);
  const auto alpha_bar = alphas_cumprod(betas);
  std::vector<double> out;
  for (std::size_t t = 0; t < betas.size(); ++t) {
    const double root = std::sqrt(alpha_bar[t]), last = std::sqrt(alpha_bar.back());
    out.push_back(zero_snr ? std::min(8 * ulp * root / std::max(root - last, 1e-12), 1.0)
                           : ulp * betas[t] / (1 - betas[t]));
  }
  return out;
}

/// The betas of a file, made in float32 from `betas`, within 1e-7 and what float32 leaves
/// uncertain.
inline void check_betas(Golden& golden, const std::string& name, const std::vector<double>& betas, bool zero_snr) {
  const auto uncertain = float_uncertainty(betas, zero_snr);
  const auto ours = zero_snr ? with_zero_terminal_snr(betas) : betas;
  std::vector<double> allowed;
  for (std::size_t t = 0; t < ours.size(); ++t)
    allowed.push_back(1e-7 + (zero_snr ? uncertain[t] * (1 - ours[t]) : 0.0));
  check_within(golden, name, ours, allowed);
}

/// ᾱ of a file (`ours`) likewise; `betas`: before the rescaling.
inline void check_alpha_bar(Golden& golden, const std::string& name, const std::vector<double>& ours,
                            const std::vector<double>& betas, bool zero_snr, double relative) {
  const auto uncertain = float_uncertainty(betas, zero_snr);
  std::vector<double> allowed;
  for (std::size_t t = 0; t < ours.size(); ++t)  // s² is held at 1e-12 where ᾱ is 0
    allowed.push_back(ours[t] * (relative + uncertain[t]) + (zero_snr ? 2e-12 : 1e-300));
  check_within(golden, name, ours, allowed);
}

}  // namespace edmund::testing
