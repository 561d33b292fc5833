#pragma once

#include <string_view>

namespace edmund::testing {

/// A sampler of the ODE and its order of convergence in the step of ln σ, at the last grid time.
struct Ordered {
  std::string_view sampler;
  double order;
};

/// Choices of options that have an order of their own, beside what each row of the table states.
/// Multistep methods of order 3 and more keep it with runge_kutta steps at their start only: that
/// of the published start, one step of order 1, is 2.
inline constexpr Ordered kVariants[] = {
    {"{type: euler_ancestral, eta: 0, final: none}", 1},
    {"{type: reverse_sde, lambda: 0, final: none}", 1},
    {"{type: heun, alpha: 0.5, final: none}", 2},
    {"{type: heun, alpha: 0.6666666666666666, final: none}", 2},
    {"{type: dpm_2_ancestral, eta: 0, final: none}", 2},
    {"{type: dpm_solver, order: 1, final: none}", 1},
    {"{type: dpm_solver, order: 2, final: none}", 2},
    {"{type: dpmpp_2s, r: 0.3, final: none}", 2},
    {"{type: dpmpp_sde, eta: 0, r: 0.7, final: none}", 2},
    {"{type: dpmpp_2m, variant: heun, final: none}", 2},
    {"{type: dpmpp_2m, warm_up: runge_kutta, final: none}", 2},
    {"{type: dpmpp_2m_sde, eta: 0, final: none}", 2},
    {"{type: dpmpp_3m, final: none}", 2},
    {"{type: dpmpp_3m_sde, eta: 0, final: none}", 2},
    {"{type: lms, order: 1, final: none}", 1},
    {"{type: lms, order: 2, final: none}", 2},
    {"{type: lms, order: 3, warm_up: runge_kutta, final: none}", 3},
    {"{type: dpm_solver_multistep, lower_order_final: never, final: none, algorithm: plusplus, order: 1}", 1},
    {"{type: dpm_solver_multistep, lower_order_final: never, final: none, algorithm: plusplus, order: 2, variant: "
     "midpoint}",
     2},
    {"{type: dpm_solver_multistep, lower_order_final: never, final: none, algorithm: plusplus, order: 2, variant: "
     "heun}",
     2},
    {"{type: dpm_solver_multistep, lower_order_final: never, final: none, algorithm: plusplus, order: 2, variant: "
     "exact}",
     2},
    {"{type: dpm_solver_multistep, lower_order_final: never, final: none, algorithm: plusplus, order: 3}", 2},
    {"{type: dpm_solver_multistep, lower_order_final: never, final: none, algorithm: plusplus, order: 3, variant: "
     "exact, warm_up: runge_kutta}",
     3},
    {"{type: dpm_solver_multistep, lower_order_final: never, final: none, algorithm: plain, order: 1}", 1},
    {"{type: dpm_solver_multistep, lower_order_final: never, final: none, algorithm: plain, order: 2, variant: "
     "midpoint}",
     2},
    {"{type: dpm_solver_multistep, lower_order_final: never, final: none, algorithm: plain, order: 2, variant: heun}",
     2},
    {"{type: dpm_solver_multistep, lower_order_final: never, final: none, algorithm: plain, order: 2, variant: exact}",
     2},
    {"{type: dpm_solver_multistep, lower_order_final: never, final: none, algorithm: plain, order: 3}", 2},
    {"{type: dpm_solver_multistep, lower_order_final: never, final: none, algorithm: plain, order: 3, variant: exact, "
     "warm_up: runge_kutta}",
     3},
    {"{type: unipc, lower_order_final: never, final: none, b: bh1, predict: x0, order: 1, corrector: false}", 1},
    {"{type: unipc, lower_order_final: never, final: none, b: bh1, predict: x0, order: 1, corrector: true}", 2},
    {"{type: unipc, lower_order_final: never, final: none, b: bh1, predict: x0, order: 2, corrector: false}", 2},
    {"{type: unipc, lower_order_final: never, final: none, b: bh1, predict: x0, order: 2, corrector: true, warm_up: "
     "runge_kutta}",
     3},
    {"{type: unipc, lower_order_final: never, final: none, b: bh1, predict: x0, order: 3, corrector: false, warm_up: "
     "runge_kutta}",
     3},
    {"{type: unipc, lower_order_final: never, final: none, b: bh1, predict: x0, order: 3, corrector: true, warm_up: "
     "runge_kutta}",
     4},
    {"{type: unipc, lower_order_final: never, final: none, b: bh2, predict: x0, order: 4, corrector: false, warm_up: "
     "runge_kutta}",
     4},
    {"{type: unipc, lower_order_final: never, final: none, b: bh1, predict: eps, order: 1, corrector: false}", 1},
    {"{type: unipc, lower_order_final: never, final: none, b: bh1, predict: eps, order: 1, corrector: true}", 2},
    {"{type: unipc, lower_order_final: never, final: none, b: bh1, predict: eps, order: 2, corrector: false}", 2},
    {"{type: unipc, lower_order_final: never, final: none, b: bh1, predict: eps, order: 2, corrector: true, warm_up: "
     "runge_kutta}",
     3},
    {"{type: unipc, lower_order_final: never, final: none, b: bh1, predict: eps, order: 3, corrector: false, warm_up: "
     "runge_kutta}",
     3},
    {"{type: unipc, lower_order_final: never, final: none, b: bh1, predict: eps, order: 3, corrector: true, warm_up: "
     "runge_kutta}",
     4},
    {"{type: unipc, lower_order_final: never, final: none, b: bh2, predict: x0, order: 1, corrector: false}", 1},
    {"{type: unipc, lower_order_final: never, final: none, b: bh2, predict: x0, order: 1, corrector: true}", 2},
    {"{type: unipc, lower_order_final: never, final: none, b: bh2, predict: x0, order: 2, corrector: false}", 2},
    {"{type: unipc, lower_order_final: never, final: none, b: bh2, predict: x0, order: 2, corrector: true, warm_up: "
     "runge_kutta}",
     3},
    {"{type: unipc, lower_order_final: never, final: none, b: bh2, predict: x0, order: 3, corrector: false, warm_up: "
     "runge_kutta}",
     3},
    {"{type: unipc, lower_order_final: never, final: none, b: bh2, predict: eps, order: 1, corrector: false}", 1},
    {"{type: unipc, lower_order_final: never, final: none, b: bh2, predict: eps, order: 1, corrector: true}", 2},
    {"{type: unipc, lower_order_final: never, final: none, b: bh2, predict: eps, order: 2, corrector: false}", 2},
    {"{type: unipc, lower_order_final: never, final: none, b: bh2, predict: eps, order: 2, corrector: true, warm_up: "
     "runge_kutta}",
     3},
    {"{type: unipc, lower_order_final: never, final: none, b: bh2, predict: eps, order: 3, corrector: false, warm_up: "
     "runge_kutta}",
     3},
    {"{type: unipc, lower_order_final: never, final: none, b: bh2, predict: eps, order: 3, corrector: true, warm_up: "
     "runge_kutta}",
     4},
    {"{type: deis, final: none, polynomial: t, degree: 0}", 1},
    {"{type: deis, final: none, polynomial: t, degree: 1}", 2},
    {"{type: deis, final: none, polynomial: t, degree: 2, warm_up: runge_kutta}", 3},
    {"{type: deis, final: none, polynomial: sigma, degree: 0}", 1},
    {"{type: deis, final: none, polynomial: sigma, degree: 1}", 2},
    {"{type: deis, final: none, polynomial: sigma, degree: 2, warm_up: runge_kutta}", 3},
    {"{type: deis, final: none, polynomial: sigma, degree: 3, warm_up: runge_kutta}", 4},
    {"{type: deis, final: none, polynomial: log_sigma, degree: 0}", 1},
    {"{type: deis, final: none, polynomial: log_sigma, degree: 1}", 2},
    {"{type: deis, final: none, polynomial: log_sigma, degree: 2, warm_up: runge_kutta}", 3},
    {"{type: deis, final: none, polynomial: log_sigma, degree: 3, warm_up: runge_kutta}", 4},
    {"{type: ipndm, order: 1, final: none}", 1},
    {"{type: predictor_corrector, corrector: none, probability_flow: true, predictor: euler_maruyama, final: none}", 1},
    {"{type: predictor_corrector, corrector: none, probability_flow: true, predictor: reverse_diffusion, final: none}",
     1},
};

}  // namespace edmund::testing
