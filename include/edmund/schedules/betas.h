#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace edmund {

/// β_1 … β_N of a discrete diffusion (N = steps). `linear`: from low to high; `scaled_linear`: √β
/// linear; `cosine`: from ᾱ(t) = cos²(π/2 (t+0.008)/1.008), β clipped at 0.999 (Nichol & Dhariwal
/// 2021, eq. 17; low and high unused); `sigmoid`: low + (high - low)·logistic(x), x in [-6, 6];
/// `sigmoid_alpha_bar`: ᾱ(t) ∝ logistic(3) - logistic(6t - 3), β clipped at 0.999 (Jabri et al.
/// 2022, app. B; low and high unused). Throws Error for another kind.
std::vector<double> make_betas(std::string_view kind, std::int64_t steps, double low, double high);

/// Rescaled so that ᾱ_N = 0 and ᾱ_1 is kept (Lin et al. 2024, algorithm 1); the last β is 1.
std::vector<double> with_zero_terminal_snr(const std::vector<double>& betas);

/// ᾱ_t = Π (1 - β).
std::vector<double> alphas_cumprod(const std::vector<double>& betas);

}  // namespace edmund
