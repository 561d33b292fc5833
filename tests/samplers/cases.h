#pragma once

#include "edmund/samplers/sampler.h"

#include <string>
#include <vector>

namespace edmund::testing {

/// A row with the options of which it states its error, left at the last grid time: "{type: lms, …,
/// final: none}".
inline std::string stated(const SamplerEntry& row) {
  return format("{type: {}{}{}, final: none}", row.name, row.with.empty() ? "" : ", ", row.with);
}

/// Every entry of the sampler table with its defaults, and the variants that options choose.
inline std::vector<std::string> sampler_cases() {
  std::vector<std::string> out;
  for (const auto& entry : sampler_table()) out.push_back("{type: " + std::string(entry.name) + "}");
  for (const char* more :
       {"{type: heun, S_churn: 4, S_max: 20, S_noise: 1.003}",
        "{type: euler, S_churn: 4}",
        "{type: ddim, eta: 0.5}",
        "{type: ancestral, variance: beta}",
        "{type: dpm_2, S_churn: 4}",
        "{type: dpm_solver, order: 1, ending: [2, 3]}",
        "{type: dpm_solver, eta: 0.5, ending: [2, 1]}",
        "{type: dpmpp_2s, eta: 1, r: 0.4}",
        "{type: dpmpp_sde, draws: brownian}",
        "{type: dpmpp_2m, lower_order_final: always, warm_up: runge_kutta}",
        "{type: dpmpp_2m_sde, variant: heun, eta: 0.5}",
        "{type: dpmpp_3m, variant: exact, warm_up: runge_kutta}",
        "{type: lms, to_zero: true, warm_up: runge_kutta}",
        "{type: lms, order: 2, lower_order_final: always}",
        "{type: dpm_adaptive, order: 2, rtol: 0.01}",
        "{type: rk45, rtol: 1e-3, atol: 1e-4}",
        "{type: ddim, renoise: true}",
        "{type: dpm_solver_multistep, order: 3, variant: exact, eta: 0.7, lower_order_final: last}",
        "{type: dpm_solver_multistep, algorithm: plain, order: 3, eta: 1, lower_order_final: authors}",
        "{type: unipc, b: bh1, predict: eps, order: 2}",
        "{type: unipc, corrector: false, lower_order_final: never, warm_up: runge_kutta}",
        "{type: deis, polynomial: log_sigma}",
        "{type: ipndm, order: 2, warm_up: runge_kutta}",
        "{type: predictor_corrector, predictor: euler_maruyama, corrector: ald, corrector_steps: 2}",
        "{type: predictor_corrector, predictor: ancestral, variance: beta, final: predictor}"})
    out.emplace_back(more);
  return out;
}

}  // namespace edmund::testing
