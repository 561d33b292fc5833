// ddpm — table of N discrete betas (Ho et al. 2020), made continuous between its entries.
//
//   t in [1, N];  at whole t:  s = √ᾱ_t,  σ = √((1 - ᾱ_t)/ᾱ_t),  ᾱ_t = Π_{i ≤ t} (1 - β_i)
//   s = 1/√(1 + σ²) everywhere. There is no t = 0 (its σ would be 0, where log σ is linear), so no
//   clean time. Rates at an entry are those of the interval below it, which a sampler walks next.
//
//   betas              linear       or scaled_linear, cosine, sigmoid, sigmoid_alpha_bar (see
//                                   make_betas)
//   N                  1000         entries
//   beta_start         1e-4         (scaled_linear 8.5e-4) times 1000/N (Nichol & Dhariwal 2021);
//                                   unused by cosine and sigmoid_alpha_bar
//   beta_end           0.02         (scaled_linear 0.012) times 1000/N
//   interpolation      log_sigma    log σ linear in t (k-diffusion); or linear_log_alpha: log s
//                                   linear in t (Lu et al. 2022)
//   zero_terminal_snr  false        rescale to ᾱ_N = 0 (Lin et al. 2024), here held at 1e-12, so
//                                   σ(N) = 1e6
#include "edmund/schedules/betas.h"
#include "edmund/schedules/noise_schedule.h"

#include <algorithm>
#include <cmath>

namespace edmund::schedules {
namespace {

constexpr double kAlphaBarFloor = 1e-12;
// ln σ or ln s, and its slope.
struct Line {
  double value, slope;
};

class DdpmSchedule : public NoiseSchedule {
 public:
  // log_alpha_bar: ln ᾱ_t, strictly decreasing.
  DdpmSchedule(const std::vector<double>& log_alpha_bar, bool log_sigma_linear)
      : NoiseSchedule({.times = {1.0, static_cast<double>(log_alpha_bar.size())}, .levels = sigmas_of(log_alpha_bar)}),
        log_sigma_linear_(log_sigma_linear) {
    for (std::size_t i = 0; i < log_alpha_bar.size(); ++i)
      knots_.push_back(log_sigma_linear ? std::log(levels()[i]) : 0.5 * log_alpha_bar[i]);
  }

 private:
  double s(double t) const override {
    if (!log_sigma_linear_) return std::exp(line(t).value);
    const double sigma = sigma_of(t);
    return 1 / std::sqrt(1 + sigma * sigma);
  }
  double sigma_of(double t) const override {
    const double value = line(t).value;
    return log_sigma_linear_ ? std::exp(value) : std::sqrt(std::expm1(-2 * value));
  }
  double sigma_dot(double t) const override {
    const double sigma = sigma_of(t), slope = line(t).slope;
    return log_sigma_linear_ ? sigma * slope : -slope * (sigma + 1 / sigma);
  }
  double s_dot(double t) const override {
    const double s = this->s(t);
    return -sigma_of(t) * sigma_dot(t) * s * s * s;
  }
  double time_of(double sigma) const override {
    const std::vector<double>& table = levels();
    const auto above = std::upper_bound(table.begin(), table.end(), sigma);
    const auto i =
        static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(above - table.begin(), 1, std::ssize(table) - 1));
    if (sigma == table[i - 1]) return static_cast<double>(i);
    const double value = log_sigma_linear_ ? std::log(sigma) : -0.5 * std::log1p(sigma * sigma);
    return static_cast<double>(i) + (value - knots_[i - 1]) / (knots_[i] - knots_[i - 1]);
  }

  static std::vector<double> sigmas_of(const std::vector<double>& log_alpha_bar) {
    std::vector<double> out;
    out.reserve(log_alpha_bar.size());
    for (const double value : log_alpha_bar) out.push_back(std::sqrt(std::expm1(-value)));
    return out;
  }
  Line line(double t) const {
    const auto i =
        // between entries i - 1 and i, counted from 0
        static_cast<std::size_t>(std::max(std::ceil(t), 2.0)) - 1;
    const double slope = knots_[i] - knots_[i - 1];
    return {knots_[i] + (t - static_cast<double>(i + 1)) * slope, slope};
  }

  bool log_sigma_linear_;
  std::vector<double> knots_;  // ln σ or ln s of each entry
};

std::vector<double> log_alpha_bars(std::vector<double> betas, bool zero_terminal_snr) {
  if (zero_terminal_snr) betas = with_zero_terminal_snr(betas);
  std::vector<double> out;
  out.reserve(betas.size());
  double sum = 0.0;
  for (const double beta : betas) out.push_back(sum += std::log1p(-beta));
  if (zero_terminal_snr) out.back() = std::log(kAlphaBarFloor);
  return out;
}

bool usable(const std::vector<double>& log_alpha_bar) {
  const auto stalls = [](double a, double b) { return !(b < a); };
  return std::adjacent_find(log_alpha_bar.begin(), log_alpha_bar.end(), stalls) == log_alpha_bar.end() &&
         log_alpha_bar.back() > -200.0;
}

}  // namespace

std::unique_ptr<NoiseSchedule> make_ddpm(Options& options) {
  const std::string kind =
      options.choice("betas", "linear", {"linear", "scaled_linear", "cosine", "sigmoid", "sigmoid_alpha_bar"},
                     "shape of the discrete noise rates β");
  const std::int64_t N = options.integer("N", 1000, between(2, 1e6), "number of discrete steps");
  double low = 0.0, high = 0.0;
  if (kind != "cosine" && kind != "sigmoid_alpha_bar") {
    const double per_step = 1000.0 / static_cast<double>(N);
    low = options.real("beta_start", (kind == "scaled_linear" ? 8.5e-4 : 1e-4) * per_step, inside(0, 1), "first β");
    high = options.real("beta_end", (kind == "scaled_linear" ? 0.012 : 0.02) * per_step, inside(0, 1), "last β");
    options.check(high < 1, "beta_end", "its default {} is not below 1 with N = {}; give one", high, N);
  }
  const std::string interpolation = options.choice("interpolation", "log_sigma", {"log_sigma", "linear_log_alpha"},
                                                   "between two entries: ln σ linear in t, or ln s (Lu et al. 2022)");
  const bool zero_terminal_snr = options.flag(
      "zero_terminal_snr", false, "rescale the table so that the last entry is noise alone (Lin et al. 2024)");
  std::vector<double> table = log_alpha_bars(make_betas(kind, N, low, high), zero_terminal_snr);
  if (!usable(table)) {
    options.check(high >= 1, "betas", "σ does not grow from entry to entry, or beyond all use");
    table = log_alpha_bars(make_betas("linear", 1000, 1e-4, 0.02), false);
  }
  return std::make_unique<DdpmSchedule>(table, interpolation == "log_sigma");
}

}  // namespace edmund::schedules
