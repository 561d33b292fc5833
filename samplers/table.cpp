#include "edmund/samplers/sampler.h"

#include <ATen/TensorOperators.h>

namespace edmund {
namespace samplers {

SamplerFactory make_ancestral, make_ddim, make_euler, make_heun, make_reverse_sde;

}  // namespace samplers
namespace {

constexpr int kStochastic = SamplerEntry::kStochastic;

constexpr SamplerEntry kSamplers[] = {
    {"heun", "second-order ODE steps, with churn", "Karras et al. 2022, algorithms 1-3", samplers::make_heun, 2},
    {"euler", "first-order ODE steps, with churn", "Karras et al. 2022, eq. 4", samplers::make_euler, 1},
    {"ddim", "DDIM, η from deterministic to ancestral", "Song et al. 2021, eq. 12", samplers::make_ddim, 1},
    {"ancestral", "DDPM's chain, posterior or β variance", "Ho et al. 2020, algorithm 2", samplers::make_ancestral,
     kStochastic},
    {"reverse_sde", "Euler-Maruyama of the reverse SDE, λ", "Song et al. 2021, eq. 6", samplers::make_reverse_sde,
     kStochastic},
};

}  // namespace

std::span<const SamplerEntry> sampler_table() { return kSamplers; }

std::string stated_order(int order, std::string_view with) {
  const std::string more = with.empty() ? "" : format(" ({})", with);
  if (order == SamplerEntry::kStochastic) return "stochastic" + more;
  if (order == SamplerEntry::kTolerance) return "to its tolerance" + more;
  return (order == 0 ? "order not stated" : format("order {}", order)) + more;
}

Sampler make_sampler(Options& options) { return chosen(sampler_table(), options, "heun").make(options); }

Final final_step(Options& options, std::string_view fallback) {
  const std::string name = options.choice("final", fallback, {"denoise", "euler", "none"});
  return name == "euler" ? Final::kEuler : name == "none" ? Final::kNone : Final::kDenoise;
}

Tensor initial_state(const NoiseSchedule& path, const TimeGrid& grid, NoiseSource& noise, at::IntArrayRef image_shape) {
  const double t = grid.t.front();
  return (path.scale(t) * path.sigma(t)) * noise.normal(image_shape);
}

}  // namespace edmund
