#include "edmund/samplers/sampler.h"

namespace edmund {
namespace samplers {

SamplerFactory make_ancestral, make_ddim, make_euler, make_heun, make_reverse_sde;
SamplerFactory make_euler_ancestral;
SamplerFactory make_dpm_2, make_dpm_2_ancestral, make_dpm_solver;
SamplerFactory make_dpmpp_2s, make_dpmpp_sde;
SamplerFactory make_dpmpp_2m, make_dpmpp_2m_sde, make_dpmpp_3m, make_dpmpp_3m_sde;
SamplerFactory make_lms;
SamplerFactory make_dpm_adaptive;
SamplerFactory make_rk45;
SamplerFactory make_er_sde;
SamplerFactory make_res_2s;
SamplerFactory make_deis, make_dpm_solver_multistep, make_ipndm, make_predictor_corrector, make_unipc;

}  // namespace samplers
namespace {

constexpr int kStochastic = SamplerEntry::kStochastic, kTolerance = SamplerEntry::kTolerance;

constexpr SamplerEntry kSamplers[] = {
    {"heun", "second-order ODE steps, with churn", "Karras et al. 2022, algorithms 1-3", samplers::make_heun, 2},
    {"euler", "first-order ODE steps, with churn", "Karras et al. 2022, eq. 4", samplers::make_euler, 1},
    {"ddim", "DDIM, η from deterministic to ancestral", "Song et al. 2021, eq. 12", samplers::make_ddim, 1},
    {"ancestral", "DDPM's chain, posterior or β variance", "Ho et al. 2020, algorithm 2", samplers::make_ancestral,
     kStochastic},
    {"reverse_sde", "Euler-Maruyama of the reverse SDE, λ", "Song et al. 2021, eq. 6", samplers::make_reverse_sde,
     kStochastic},
    {"euler_ancestral", "ddim with η = 1", "Song et al. 2021, eq. 12; k-diffusion", samplers::make_euler_ancestral,
     kStochastic},
    {"dpm_2", "DPM-Solver-2 in σ, with churn", "Lu et al. 2022; Karras et al. 2022", samplers::make_dpm_2, 2},
    {"dpm_2_ancestral", "dpm_2 with η = 1", "k-diffusion", samplers::make_dpm_2_ancestral, kStochastic},
    {"dpm_solver", "singlestep DPM-Solver, orders 1-3 (dpm_fast)", "Lu et al. 2022", samplers::make_dpm_solver, 3},
    {"dpmpp_2s", "singlestep DPM-Solver++(2S), η", "Lu et al. 2022b, algorithm 1", samplers::make_dpmpp_2s, 2},
    {"dpmpp_sde", "dpmpp_2s with noise inside the step", "k-diffusion", samplers::make_dpmpp_sde, kStochastic},
    {"dpmpp_2m", "multistep DPM-Solver++(2M)", "Lu et al. 2022b, algorithm 2", samplers::make_dpmpp_2m, 2},
    {"dpmpp_2m_sde", "dpmpp_2m of the reverse SDE", "Lu et al. 2022b; k-diffusion", samplers::make_dpmpp_2m_sde,
     kStochastic},
    {"dpmpp_3m", "multistep DPM-Solver++(3M)", "Lu et al. 2022b; k-diffusion", samplers::make_dpmpp_3m, 3,
     "variant: exact, warm_up: runge_kutta"},
    {"dpmpp_3m_sde", "dpmpp_3m of the reverse SDE", "k-diffusion", samplers::make_dpmpp_3m_sde, kStochastic},
    {"lms", "Adams-Bashforth in σ, orders 1-4", "Hairer et al. 1993, III.1; k-diffusion", samplers::make_lms, 4,
     "warm_up: runge_kutta"},
    {"dpm_adaptive", "DPM-Solver-12 and -23, adaptive", "Lu et al. 2022, appendix C", samplers::make_dpm_adaptive,
     kTolerance, "rtol: 1e-4, atol: 1e-5"},
    {"rk45", "Dormand-Prince 5(4), adaptive by image", "Dormand & Prince 1980", samplers::make_rk45, kTolerance},
    {"dpm_solver_multistep", "multistep DPM-Solver and DPM-Solver++, orders 1-3, ODE or SDE", "Lu et al. 2022",
     samplers::make_dpm_solver_multistep, 2},
    {"unipc", "multistep predictor-corrector, orders 1-6, bh1 or bh2", "Zhao et al. 2023, algorithms 1-2",
     samplers::make_unipc, 4, "warm_up: runge_kutta, lower_order_final: never"},
    {"deis", "exponential Adams-Bashforth in t, σ or ln σ, degrees 0-3", "Zhang & Chen 2023", samplers::make_deis, 4,
     "warm_up: runge_kutta"},
    {"ipndm", "Adams-Bashforth with fixed coefficients, orders 1-4", "Liu et al. 2022; Zhang & Chen 2023",
     samplers::make_ipndm, 2},
    {"er_sde", "multistep ER-SDE-Solver, orders 1-3", "Cui et al. 2023", samplers::make_er_sde, kStochastic},
    {"res_2s", "singlestep exponential Runge-Kutta (RES)", "Zhang et al. 2023", samplers::make_res_2s, 2},
    {"predictor_corrector", "reverse SDE with Langevin steps at each time", "Song et al. 2021, algorithms 1-5",
     samplers::make_predictor_corrector, kStochastic, "corrector: none"},
};

}  // namespace

std::span<const SamplerEntry> sampler_table() { return kSamplers; }

}  // namespace edmund
