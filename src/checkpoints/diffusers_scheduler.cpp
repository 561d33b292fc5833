// Schedulers of huggingface/diffusers: the table of betas, what the network predicts, and how its
// authors sample (by default of the pipeline that takes such a scheduler).
//
//   DDPMScheduler         ancestral, 1000 steps (DDPMPipeline)
//   DDIMScheduler         ddim, 50 steps (DDIMPipeline)
//   EulerDiscreteScheduler             ddim, 50 steps: Euler's steps in σ are DDIM's. Spaced by
//                                      `linspace` they lie between entries there, on entries here
//   EulerAncestralDiscreteScheduler    euler_ancestral, 50 steps, the same
//   DPMSolverMultistepScheduler, UniPCMultistepScheduler    dpm_solver_multistep, unipc, 50 steps
//
// Those without a table are in diffusers_clocks.cpp.
#include "diffusers_scheduler.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace edmund {
namespace {

using nlohmann::ordered_json;

constexpr std::int64_t kDdimSteps = 50;

struct Table {
  ordered_json schedule;
  std::int64_t entries = 1000;
};

Table read_table(JsonSettings& s) {
  s.only("trained_betas", nullptr);
  const std::string kind =
      s.choice("beta_schedule", "linear", {"linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid"});
  Table out{.entries = s.integer("num_train_timesteps", 1000, 2, 1'000'000)};
  const double low = s.real("beta_start", 1e-4), high = s.real("beta_end", 0.02);
  out.schedule = {{"type", "ddpm"}, {"betas", kind == "squaredcos_cap_v2" ? "cosine" : kind}, {"N", out.entries}};
  if (kind != "squaredcos_cap_v2") out.schedule["beta_start"] = low, out.schedule["beta_end"] = high;
  if (s.flag("rescale_betas_zero_snr", false)) out.schedule["zero_terminal_snr"] = true;
  return out;
}

ordered_json preconditioning(JsonSettings& s, const Table& table) {
  const std::string kind = s.choice("prediction_type", "epsilon", {"epsilon", "v_prediction", "sample"});
  if (kind == "epsilon" && table.schedule.contains("zero_terminal_snr"))
    s.refuse("prediction_type",
             "epsilon says nothing of the image at the last entry of a table with zero terminal SNR");
  return {{"type", kind == "epsilon"        ? "eps"
                   : kind == "v_prediction" ? "v"
                                            : "x0"},
          {"noise_input", {{"type", "index"}, {"schedule", table.schedule}}}};
}

ordered_json grid(JsonSettings& s, const Table& table, std::int64_t steps, std::string_view usual) {
  const std::string spacing = s.choice("timestep_spacing", usual, {"leading", "linspace", "trailing"});
  const std::int64_t offset = s.integer("steps_offset", 0, 0);
  ordered_json out = {{"type", "native"}, {"steps", std::min(steps, table.entries)}, {"spacing", spacing}};
  if (spacing == "leading" && offset > 0) out["offset"] = offset;
  return out;
}

// [low, high] that D is cut to, or null.
ordered_json clip(JsonSettings& s, bool usual) {
  const double range = s.real("clip_sample_range", 1);
  return s.flag("clip_sample", usual) && !s.flag("thresholding", false) ? ordered_json{-range, range} : ordered_json();
}

void read_threshold(JsonSettings& s, ordered_json& sampling) {
  const double share = s.real("dynamic_thresholding_ratio", 0.995), most = s.real("sample_max_value", 1);
  if (!s.flag("thresholding", false)) return;
  if (most != 1) s.refuse("sample_max_value");
  sampling["threshold"] = share;
}

DiffusersConvention ddpm(JsonSettings& s, std::int64_t steps) {
  const Table table = read_table(s);
  const std::string variance =
      s.choice("variance_type", "fixed_small", {"fixed_small", "fixed_small_log", "fixed_large"});
  DiffusersConvention out{.preconditioning = preconditioning(s, table)};
  out.sampling = {{"schedule", table.schedule},
                  {"grid", grid(s, table, steps > 0 ? steps : 1000, "leading")},
                  {"sampler", {{"type", "ancestral"}, {"variance", variance == "fixed_large" ? "beta" : "posterior"}}}};
  if (const auto range = clip(s, true); !range.is_null()) out.sampling["clip"] = range;
  read_threshold(s, out.sampling);
  return out;
}

DiffusersConvention ddim(JsonSettings& s, std::int64_t steps) {
  const Table table = read_table(s);
  DiffusersConvention out{.preconditioning = preconditioning(s, table)};
  out.sampling = {{"schedule", table.schedule},
                  {"grid", grid(s, table, steps > 0 ? steps : kDdimSteps, "leading")},
                  {"sampler", {{"type", "ddim"}, {"eta", 0.0}}}};
  const auto range = clip(s, true);
  if (!range.is_null()) out.sampling["sampler"]["clip"] = range;
  if (s.flag("thresholding", false)) s.refuse("thresholding", "true has no counterpart in DDIM here");
  if (!s.flag("set_alpha_to_one", true)) {
    // The last step goes to the table's first entry: one more point, at which the sample is taken.
    ordered_json& points = out.sampling["grid"];
    const std::int64_t N = table.entries, n = points["steps"].get<std::int64_t>(), stride = N / n,
                       offset = points.value("offset", std::int64_t{0});
    if (points["spacing"] != "leading" || offset == 0)
      s.refuse("set_alpha_to_one", "false has a counterpart here with leading timesteps and a steps_offset only");
    std::vector<std::int64_t> times;
    for (std::int64_t k = n - 1; k >= 0; --k) times.push_back(k * stride + offset + 1);
    times.push_back(1);
    points = {{"type", "explicit"}, {"times", times}};
    out.sampling["sampler"]["final"] = "none";
  }
  s.skip({"dynamic_thresholding_ratio", "sample_max_value"});
  return out;
}

// Those that step in σ.
DiffusersConvention discrete(JsonSettings& s, std::string_view sampler, std::int64_t steps) {
  const Table table = read_table(s);
  DiffusersConvention out{.preconditioning = preconditioning(s, table)};
  for (const auto key : {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "clip_sample"})
    s.only(key, false);
  s.only("interpolation_type", "linear");
  s.only("timestep_type", "discrete");
  s.only("final_sigmas_type", "zero");
  s.skip({"sigma_min", "sigma_max", "clip_sample_range"});
  out.sampling = {{"schedule", table.schedule},
                  {"grid", grid(s, table, steps > 0 ? steps : kDdimSteps, "linspace")},
                  {"sampler", {{"type", sampler}}}};
  return out;
}

// Times of the multistep solvers: but for `trailing` one more than steps are chosen, and the last
// one is left out.
ordered_json multistep_grid(JsonSettings& s, const Table& table, std::int64_t steps) {
  ordered_json out = grid(s, table, steps, "linspace");
  const bool to_zero = s.choice("final_sigmas_type", "zero", {"zero", "sigma_min"}) == "zero";
  const std::string spacing = out["spacing"];
  if (spacing == "trailing" && to_zero) return out;
  const std::int64_t n = std::min(steps, table.entries - 1), N = table.entries,
                     offset = out.value("offset", std::int64_t{0});
  std::vector<std::int64_t> times;
  for (std::int64_t k = n; k > 0; --k) {
    const double all = static_cast<double>(N), share = static_cast<double>(k) / static_cast<double>(n);
    times.push_back(spacing == "leading" ? k * (N / (n + 1)) + 1 + offset
                    : spacing == "linspace"
                        ? std::llrint(static_cast<double>(k) * ((all - 1) / static_cast<double>(n))) + 1
                        : std::llrint(share * all));
  }
  if (!to_zero && times.back() > 1) times.push_back(1);
  return {{"type", "explicit"}, {"times", times}};
}

DiffusersConvention multistep(JsonSettings& s, ordered_json sampler, std::int64_t steps) {
  const Table table = read_table(s);
  DiffusersConvention out{.preconditioning = preconditioning(s, table)};
  for (const auto key : {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_flow_sigmas",
                         "use_lu_lambdas", "thresholding", "use_dynamic_shifting"})
    s.only(key, false);
  s.only("lambda_min_clipped", nullptr);
  s.skip({"dynamic_thresholding_ratio", "sample_max_value", "flow_shift", "time_shift_type", "variance_type"});
  sampler["final"] = s.has("final_sigmas_type") && s.text("final_sigmas_type", "") == "sigma_min" ? "none" : "denoise";
  out.sampling = {{"schedule", table.schedule},
                  {"grid", multistep_grid(s, table, steps > 0 ? steps : kDdimSteps)},
                  {"sampler", std::move(sampler)}};
  return out;
}

DiffusersConvention dpm_solver(JsonSettings& s, std::int64_t steps) {
  const std::string algorithm =
      s.choice("algorithm_type", "dpmsolver++", {"dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++"});
  const bool lower = s.flag("lower_order_final", true), last = s.flag("euler_at_final", false);
  ordered_json sampler = {{"type", "dpm_solver_multistep"},
                          {"algorithm", algorithm.ends_with("++") ? "plusplus" : "plain"},
                          {"order", s.integer("solver_order", 2, 1, 3)},
                          {"variant", s.choice("solver_type", "midpoint", {"midpoint", "heun"})},
                          {"eta", algorithm.starts_with("sde-") ? 1.0 : 0.0},
                          {"lower_order_final", last    ? "last"
                                                : lower ? "diffusers"
                                                        : "never"}};
  return multistep(s, std::move(sampler), steps);
}

DiffusersConvention unipc(JsonSettings& s, std::int64_t steps) {
  if (s.has("solver_p")) s.refuse("solver_p");
  if (!s.integers("disable_corrector", {}, 0, 1'000'000).empty()) s.refuse("disable_corrector");
  ordered_json sampler = {{"type", "unipc"},
                          {"b", s.choice("solver_type", "bh2", {"bh1", "bh2"})},
                          {"order", s.integer("solver_order", 2, 1, 6)},
                          {"predict", s.flag("predict_x0", true) ? "x0" : "eps"},
                          {"lower_order_final", s.flag("lower_order_final", true) ? "always" : "never"}};
  return multistep(s, std::move(sampler), steps);
}

struct Row {
  std::string_view name;
  DiffusersConvention (*read)(JsonSettings& settings, std::int64_t steps);
};
constexpr Row kSchedulers[] = {
    {"DDPMScheduler", ddpm},
    {"DDIMScheduler", ddim},
    {"EulerDiscreteScheduler", [](JsonSettings& s, std::int64_t steps) { return discrete(s, "ddim", steps); }},
    {"EulerAncestralDiscreteScheduler",
     [](JsonSettings& s, std::int64_t steps) { return discrete(s, "euler_ancestral", steps); }},
    {"DPMSolverMultistepScheduler", dpm_solver},
    {"UniPCMultistepScheduler", unipc},
    {"ScoreSdeVeScheduler", score_sde_ve_convention},
    {"EDMEulerScheduler", edm_convention},
    {"FlowMatchEulerDiscreteScheduler", flow_euler_convention},
    {"FlowMatchHeunDiscreteScheduler", flow_heun_convention},
};

}  // namespace

DiffusersConvention diffusers_convention(JsonSettings s, std::int64_t steps) {
  s.skip({"_class_name", "_diffusers_version"});
  const std::string name = s.text("_class_name", "");
  std::vector<std::string_view> known;
  for (const Row& row : kSchedulers) known.push_back(row.name);
  const auto* found = std::ranges::find(kSchedulers, name, &Row::name);
  if (found == std::end(kSchedulers))
    s.refuse("_class_name", format("{} has no counterpart here; converted are {}", in_quotes(name), join(known, ", ")));
  DiffusersConvention out = found->read(s, steps);
  s.finish();
  return out;
}

}  // namespace edmund
