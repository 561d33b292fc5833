#include "edmund/schedules/noise_schedule.h"

namespace edmund {
namespace schedules {

ScheduleFactory make_cosine, make_ddpm, make_edm, make_flow, make_formula, make_shifted_cosine, make_sub_vp, make_table,
    make_ve, make_vp;

}  // namespace schedules
namespace {

constexpr std::string_view kEdm[] = {"sigma_min: 1e-5, sigma_max: 1e4"};
constexpr std::string_view kVp[] = {"t_min: 1e-5", "sigma_min: 1e-3, sigma_max: 1e4",
                                    "t_min: 0.05, sigma_min: 0.1, sigma_max: 5", "beta_min: 20, beta_max: 0.1",
                                    "beta_min: 0, beta_max: 20"};
constexpr std::string_view kVe[] = {"clock: sqrt", "clock: sqrt, scale: variance_preserving",
                                    "sigma_min: 1e-3, sigma_max: 1e4"};
constexpr std::string_view kSubVp[] = {"t_min: 1e-5"};
constexpr std::string_view kNearlyAll[] = {"t_min: 1e-6, t_max: 0.999999"};
constexpr std::string_view kDdpm[] = {"betas: cosine",
                                      "betas: scaled_linear",
                                      "betas: sigmoid",
                                      "interpolation: linear_log_alpha",
                                      "betas: scaled_linear, zero_terminal_snr: true",
                                      "betas: cosine, N: 50, interpolation: linear_log_alpha",
                                      "N: 2, beta_start: 0.1, beta_end: 0.9"};

// Two rows, so smooth that methods show their orders: at other rows rates bend.
constexpr std::string_view kTable = "times: [0.1, 1], s: [1, 0.05], sigma: [0.01, 100]";
constexpr std::string_view kFormula = "s: \"cos(pi*t/2)\", sigma: \"tan(pi*t/2)\", t: [0.001, 0.999]";
constexpr std::string_view kFormulas[] = {
    "s: \"exp(-(0.1*t + 9.95*t^2)/2)\", sigma: \"sqrt(expm1(0.1*t + 9.95*t^2))\", t: [1e-3, 1]"};

constexpr ScheduleEntry kSchedules[] = {
    {"edm", "σ = t, s = 1", "Karras et al. 2022, table 1", schedules::make_edm, kEdm},
    {"vp", "variance-preserving SDE, linear β", "Song et al. 2021, eq. 11", schedules::make_vp, kVp},
    {"ve", "variance-exploding SDE: σ geometric in t, or √t", "Song et al. 2021, eq. 9", schedules::make_ve, kVe},
    {"sub_vp", "sub-VP SDE, linear β", "Song et al. 2021, eq. 12", schedules::make_sub_vp, kSubVp},
    {"cosine", "s = cos, σ = tan", "Nichol & Dhariwal 2021, eq. 17", schedules::make_cosine, kNearlyAll},
    {"shifted_cosine", "cosine with more noise for larger images", "Hoogeboom et al. 2023, section 3.1",
     schedules::make_shifted_cosine, kNearlyAll},
    {"flow", "straight lines, s = 1 - t", "Liu et al. 2023; Lipman et al. 2023", schedules::make_flow, kNearlyAll},
    {"ddpm", "table of N discrete betas", "Ho et al. 2020", schedules::make_ddpm, kDdpm},
    {"table",
     "a smooth curve through rows of t, s, σ, from a file",
     "Fritsch & Butland 1984",
     schedules::make_table,
     {},
     kTable},
    {"formula", "s and σ as formulas in t", "-", schedules::make_formula, kFormulas, kFormula},
};

}  // namespace

std::span<const ScheduleEntry> schedule_table() { return kSchedules; }

}  // namespace edmund
