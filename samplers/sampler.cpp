#include "edmund/samplers/sampler.h"

#include <ATen/TensorOperators.h>

namespace edmund {

std::string stated_order(int order, std::string_view with) {
  const std::string more = with.empty() ? "" : format(" ({})", with);
  if (order == SamplerEntry::kStochastic) return "stochastic" + more;
  if (order == SamplerEntry::kTolerance) return "to its tolerance" + more;
  return (order == 0 ? "order not stated" : format("order {}", order)) + more;
}

const SamplerEntry& chosen_sampler(Options& options) {
  return chosen(sampler_table(), options, "heun", "solver of the ODE or SDE");
}

Sampler make_sampler(Options& options) { return chosen_sampler(options).make(options); }

Final final_step(Options& options, std::string_view fallback) {
  const std::string name = options.choice("final", fallback, {"denoise", "euler", "none"},
                                          "step from the last grid time to σ = 0: D itself, an Euler step, or none");
  return name == "euler" ? Final::kEuler : name == "none" ? Final::kNone : Final::kDenoise;
}

Tensor initial_state(const NoiseSchedule& schedule, const TimeGrid& grid, NoiseSource& noise,
                     at::IntArrayRef image_shape) {
  const double t = grid.t.front();
  return (schedule.scale(t) * schedule.sigma(t)) * noise.normal(image_shape);
}

}  // namespace edmund
