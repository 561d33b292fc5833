// Decays β of the exponential moving average of the weights. A step of B images brings the count of
// images from t to t + B.
//
//   half_life   β = 0.5^(B / max(min(half_life, ramp·t), 1e-8)) (Karras et al. 2022, training loop)
//     half_life  500000   images after which a weight counts half
//     ramp       0.05     half-life at most this share of the images seen; 0 or null: no limit
//   none        β = 0: the EMA is the weights themselves
//   power       β = (1 - B/(t + B))^(γ + 1), γ from sigma_rel (Karras et al. 2024, section 3.1)
//     sigma_rel  0.1      width of the profile relative to the length of the run, in (0, 1/√12)
//   score_sde   β = min(decay, (1 + n)/(10 + n)) at the n-th step, n from 1 (Song et al. 2021,
//               code)
//     decay      0.9999   largest β
//     warmup     true     false: β = decay from the first step on
//   warmup      β = 1 - (1 + max(n - 1 - start_at, 0)/inv_gamma)^(-power), cut to [min_value,
//               max_value] (k-diffusion)
//     inv_gamma  1        steps that the warm-up is counted in
//     power      1        2/3 for runs of a million steps, 3/4 for shorter ones
//     min_value  0        smallest β
//     max_value  1        largest β
//     start_at   0        steps before the warm-up begins
#include "edmund/training/ema.h"

#include "edmund/training/posthoc_ema.h"

#include <algorithm>
#include <cmath>

namespace edmund {
namespace {

EmaDecay make_half_life(Options& options) {
  const auto keys = options.keys();
  const bool null_ramp = !options.has("ramp") && std::find(keys.begin(), keys.end(), "ramp") != keys.end();
  const double half_life = options.real("half_life", 500e3, at_least(0.0), "images after which a weight counts half");
  const double ramp = options.real("ramp", null_ramp ? 0.0 : 0.05, at_least(0.0),
                                   "half-life at most this share of the images seen; 0: no limit");
  return [half_life, ramp](const EmaMoment& now) {
    const double limit = ramp > 0.0 ? ramp * static_cast<double>(now.images) : half_life;
    return std::pow(0.5, static_cast<double>(now.batch_size) / std::max(std::min(half_life, limit), 1e-8));
  };
}

EmaDecay make_none(Options&) {
  return [](const EmaMoment&) { return 0.0; };
}

EmaDecay make_power(Options& options) {
  return power_ema(options.real("sigma_rel", 0.1, inside(0.0, 1.0 / std::sqrt(12.0)),
                                "width of the average relative to the length of the run"));
}

EmaDecay make_score_sde(Options& options) {
  const double decay = options.real("decay", 0.9999, between(0.0, 1.0), "largest β");
  const bool warmup = options.flag("warmup", true, "β = (1 + n)/(10 + n) at first, n the step");
  return [decay, warmup](const EmaMoment& now) {
    const auto n = static_cast<double>(now.step);
    return warmup ? std::min(decay, (1.0 + n) / (10.0 + n)) : decay;
  };
}

EmaDecay make_warmup(Options& options) {
  const double inv_gamma = options.real("inv_gamma", 1.0, above(0.0), "steps that the warm-up is counted in");
  const double power = options.real("power", 1.0, above(0.0), "of the warm-up: 2/3 for a million steps, 3/4 for fewer");
  const double low = options.real("min_value", 0.0, between(0.0, 1.0), "smallest β");
  const double high = options.real("max_value", 1.0, between(0.0, 1.0), "largest β");
  const auto start =
      static_cast<double>(options.integer("start_at", 0, at_least(0.0), "steps before the warm-up begins"));
  options.check(low <= high, "min_value", "expected at most max_value = {}, found {}", high, low);
  return [=](const EmaMoment& now) {
    const double n = std::max(static_cast<double>(now.step - 1) - start, 0.0);
    return std::max(low, std::min(high, 1.0 - std::pow(1.0 + n / inv_gamma, -power)));
  };
}

constexpr Entry<EmaFactory> kTable[] = {
    {"half_life", "half-life in images, ramped up with the length of the run", "Karras et al. 2022", make_half_life},
    {"none", "the weights themselves", "-", make_none},
    {"power", "power-function profile of a given relative width", "Karras et al. 2024", make_power},
    {"score_sde", "constant decay, (1 + n)/(10 + n) at first", "Song et al. 2021", make_score_sde},
    {"warmup", "decay by inverse gamma, from 0 towards 1", "k-diffusion", make_warmup},
};

}  // namespace

std::span<const Entry<EmaFactory>> ema_table() { return kTable; }

EmaDecay make_ema(Options& options) {
  return chosen(ema_table(), options, "half_life", "rule of the decay β").make(options);
}

EmaDecay power_ema(double sigma_rel) {
  return [gamma = power_ema_gamma(sigma_rel)](const EmaMoment& now) {
    const auto after = static_cast<double>(now.images + now.batch_size);
    return std::pow(static_cast<double>(now.images) / after, gamma + 1.0);
  };
}

double power_ema_gamma(double sigma_rel) {
  // σ_rel² = (γ + 1)/((γ + 2)²(γ + 3)) falls in γ from 1/12 at 0: bisection.
  double low = 0.0, high = 1.0;
  while (power_ema_width(high) > sigma_rel) high *= 2.0;
  for (int i = 0; i < 200; ++i) {
    const double middle = 0.5 * (low + high);
    (power_ema_width(middle) > sigma_rel ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

}  // namespace edmund
