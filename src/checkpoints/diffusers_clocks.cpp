// Schedulers of huggingface/diffusers whose noise levels are no table of betas.
//
//   ScoreSdeVeScheduler   predictor and corrector on images in [0, 1] (ScoreSdeVePipeline)
//   EDMEulerScheduler     Euler on σ^(1/ρ), 18 steps (Karras et al. 2022)
//   FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler
//                         Euler and Heun on straight paths, 28 steps (StableDiffusion3Pipeline),
//                         times moved towards the noise (Esser et al. 2024, eq. 23); the network
//                         is told num_train_timesteps·t
#include "diffusers_scheduler.h"
#include "edmund/core/error.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace edmund {

using nlohmann::ordered_json;
namespace {

constexpr std::int64_t kEdmSteps = 18, kFlowSteps = 28;
// t of pure noise, where σ has no end: so near to 1 that no network of float32 sees a difference.
constexpr double kFirstTime = 1 - 1e-8, kLastTime = 1e-6;

// Times between the ends of a list, spaced otherwise than evenly; null if they are even.
ordered_json spaced_times(JsonSettings& s, const std::vector<double>& even) {
  const bool karras = s.flag("use_karras_sigmas", false), exponential = s.flag("use_exponential_sigmas", false);
  s.only("use_beta_sigmas", false);
  if (!karras && !exponential) return nullptr;
  if (karras && exponential) s.refuse("use_exponential_sigmas", "excludes use_karras_sigmas");
  constexpr double kRho = 7;
  const double high = even.front(), low = even.back();
  std::vector<double> times;
  for (std::size_t k = 0; k < even.size(); ++k) {
    const double f = static_cast<double>(k) / static_cast<double>(std::max<std::size_t>(even.size() - 1, 1));
    times.push_back(std::min(karras ? std::pow(std::lerp(std::pow(high, 1 / kRho), std::pow(low, 1 / kRho), f), kRho)
                                    : std::exp(std::lerp(std::log(high), std::log(low), f)),
                             kFirstTime));
  }
  return times;
}

// What both flow schedulers have: the network's side, and times that are even before the shift.
DiffusersConvention flow(JsonSettings& s, std::int64_t steps, ordered_json sampler) {
  const std::int64_t N = s.integer("num_train_timesteps", 1000, 2, 1'000'000);
  const auto n = static_cast<double>(N);
  const double shift = s.real("shift", 1);
  if (shift <= 0) s.refuse("shift", "must be above 0");
  // The table's ends are shifted before, its points once more.
  ordered_json grid = {{"type", "flow_shift"}, {"steps", steps > 0 ? steps : kFlowSteps}, {"shift", shift}};
  grid["last"] = shift / n / (1 + (shift - 1) / n);
  DiffusersConvention out;
  out.preconditioning = {{"type", "flow"}, {"noise_input", {{"type", "flow"}, {"scale", n}}}};
  out.sampling = {{"schedule", {{"type", "flow"}, {"t_min", kLastTime}, {"t_max", kFirstTime}}},
                  {"grid", std::move(grid)},
                  {"sampler", std::move(sampler)}};
  return out;
}

}  // namespace

DiffusersConvention score_sde_ve_convention(JsonSettings& s, std::int64_t steps) {
  // Images in [0, 1] there, in [-1, 1] here: twice the noise.
  const double low = 2 * s.real("sigma_min", 0.01), high = 2 * s.real("sigma_max", 1348), snr = s.real("snr", 0.15),
               eps = s.real("sampling_eps", 1e-5);
  const std::int64_t N = s.integer("num_train_timesteps", 2000, 2, 1'000'000),
                     corrector = s.integer("correct_steps", 1, 0, 1000);
  require(low > 0 && low < high && eps > 0 && eps < 1, "{}: sigma_min, sigma_max, sampling_eps: no range", s.file());
  DiffusersConvention out{.scale = 0.5, .shift = 0.5, .takes_sigma = true};
  out.preconditioning = {{"type", "score"}, {"noise_input", {{"type", "ve"}, {"sigma_min", low}, {"sigma_max", high}}}};
  out.sampling = {{"schedule", {{"type", "ve"}, {"sigma_min", low}, {"sigma_max", high}}},
                  {"grid",
                   {{"type", "uniform"},
                    {"steps", steps > 0 ? steps : N},
                    {"sigma_min", low * std::pow(high / low, eps)},
                    {"sigma_max", high}}},
                  {"sampler",
                   {{"type", "predictor_corrector"},
                    {"predictor", "reverse_diffusion"},
                    {"corrector", corrector > 0 ? "langevin" : "none"}}}};
  if (corrector > 0) {
    ordered_json& sampler = out.sampling["sampler"];
    sampler["snr"] = snr, sampler["corrector_steps"] = corrector, sampler["norms"] = "batch";
  }
  out.sampling["sampler"]["final"] = "predictor";
  return out;
}

DiffusersConvention edm_convention(JsonSettings& s, std::int64_t steps) {
  const double low = s.real("sigma_min", 0.002), high = s.real("sigma_max", 80);
  s.only("sigma_schedule", "karras");
  s.only("prediction_type", "epsilon");
  s.only("final_sigmas_type", "zero");
  s.skip({"num_train_timesteps"});
  DiffusersConvention out;
  out.preconditioning = {{"type", "edm"}, {"sigma_data", s.real("sigma_data", 0.5)}};
  out.sampling = {{"schedule", {{"type", "edm"}}},
                  {"grid",
                   {{"type", "karras"},
                    {"steps", steps > 0 ? steps : kEdmSteps},
                    {"rho", s.real("rho", 7)},
                    {"sigma_min", low},
                    {"sigma_max", high}}},
                  {"sampler", {{"type", "euler"}}}};
  return out;
}

DiffusersConvention flow_euler_convention(JsonSettings& s, std::int64_t steps) {
  if (s.flag("use_dynamic_shifting", false))
    s.refuse("use_dynamic_shifting",
             "true takes the shift from a picture's size by a pipeline's rule, which is not told here: state a fixed "
             "shift, and sampling.grid.tokens once it is converted");
  s.only("invert_sigmas", false);
  s.skip({"base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len", "time_shift_type"});
  ordered_json sampler = {{"type", "euler"}};
  if (s.flag("stochastic_sampling", false)) sampler = {{"type", "ddim"}, {"renoise", true}};
  DiffusersConvention out = flow(s, steps, std::move(sampler));
  ordered_json& grid = out.sampling["grid"];
  const double terminal = s.has("shift_terminal") ? s.real("shift_terminal", 0) : 0;
  if (terminal > 0) grid["terminal"] = terminal;
  const auto count = grid["steps"].get<std::int64_t>();
  const double shift = grid["shift"], last = grid["last"];
  std::vector<double> even;
  for (std::int64_t k = 0; k < count; ++k) {
    const double t =
        std::lerp(1.0, last, static_cast<double>(k) / static_cast<double>(std::max<std::int64_t>(count - 1, 1)));
    even.push_back(shift * t / (1 + (shift - 1) * t));
  }
  if (terminal > 0)
    for (const double stretch = (1 - even.back()) / (1 - terminal); double& t : even) t = 1 - (1 - t) / stretch;
  if (const ordered_json times = spaced_times(s, even); !times.is_null())
    grid = {{"type", "explicit"}, {"sigmas", times}, {"unit", "flow"}};
  return out;
}

DiffusersConvention flow_heun_convention(JsonSettings& s, std::int64_t steps) {
  return flow(s, steps, {{"type", "heun"}});
}

}  // namespace edmund
