// NVlabs/edm: the EDM sampler and the ablation sampler, evaluation by evaluation.
#include "edmund/core/error.h"
#include "edmund/io/tensor_file.h"
#include "edmund/samplers/sampler.h"
#include "samplers/noise.h"
#include "schedules/cases.h"
#include "support/catch.h"
#include "support/device.h"
#include "support/golden.h"
#include "support/mixture.h"

#include <algorithm>
#include <ATen/ops/empty.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <filesystem>
#include <limits>
#include <map>
#include <regex>
#include <set>

namespace edmund::testing {
namespace {

using Settings = std::map<std::string, std::string>;

// Settings of a case: numbers and words of an object, or the "name number" pairs of a sentence.
Settings words_and_numbers(const nlohmann::json& value) {
  Settings out;
  if (value.is_object()) {
    for (const auto& [key, entry] : value.items())
      out[key] = entry.is_string() ? entry.get<std::string>() : number_text(entry.get<double>());
    return out;
  }
  const std::string text = value.get<std::string>();
  const std::regex pair(R"((\w+) ([0-9][-+.e0-9]*))");
  for (auto m = std::sregex_iterator(text.begin(), text.end(), pair); m != std::sregex_iterator(); ++m)
    out[(*m)[1]] = (*m)[2];
  return out;
}

// YAML of the settings that `names` lists (ours → theirs), where they are given; takes them out.
std::string take(Settings& settings, const std::vector<std::pair<std::string, std::string>>& names) {
  std::string out;
  for (const auto& [ours, theirs] : names) {
    const auto found = settings.find(theirs);
    if (found == settings.end()) continue;
    out += ", " + ours + ": " + found->second;
    settings.erase(found);
  }
  return out;
}

std::string taken_word(Settings& settings, const std::string& key, const std::string& usual) {
  const auto found = settings.find(key);
  if (found == settings.end()) return usual;
  const std::string word = found->second;
  settings.erase(found);
  return word;
}

double setting(const Settings& settings, const std::string& key, double usual) {
  const auto found = settings.find(key);
  return found == settings.end() ? usual : std::stod(found->second);
}

struct Run {
  std::unique_ptr<NoiseSchedule> schedule;
  TimeGrid grid;
  Sampler sampler;
  double lift = 0.0;  // deviation of the noise that the reference adds by rounding
};

// Runs from the latents with the stored draws and compares every evaluation and the result.
void check_run(Golden& golden, const std::string& name, const Run& run, double tolerance) {
  const auto trace = std::make_shared<std::vector<Evaluation>>();
  const Denoiser D = recorded(Mixture::from(golden).denoiser(), trace);
  const double t = run.grid.t.front();
  const bool draws = golden.has(name + ".noise");
  ReplayedNoise noise(draws ? golden.real(name + ".noise") : at::empty({0}, at::kDouble));
  const Tensor x = run.sampler(D, *run.schedule, run.grid,
                               run.schedule->scale(t) * run.schedule->sigma(t) * golden.real("latents"), noise);

  golden.check_each(name + ".out", x, 0.0,
                    tolerance * golden.real(name + ".out").abs().max().item<double>() + run.lift);
  std::vector<Tensor> z, denoised;
  std::vector<double> sigma;
  for (const auto& evaluation : *trace)
    z.push_back(evaluation.z), denoised.push_back(evaluation.denoised), sigma.push_back(evaluation.sigma);
  golden.check_max(name + ".eval_x", at::stack(z), tolerance);
  golden.check_max(name + ".eval_sigma", at::tensor(sigma), tolerance);
  if (golden.has(name + ".eval_denoised")) golden.check_max(name + ".eval_denoised", at::stack(denoised), tolerance);
  // Either nothing is drawn or one draw a step, used or not.
  if (draws) golden.check(name + " draws", noise.used() == 0 || noise.used() == golden.use(name + ".noise").size(0));
}

// Levels of iDDPM's network with its defaults, ascending, as the coefficients' file has them: made
// in float32, which takes them up to 5e-4 from their formula.
std::vector<double> network_levels() {
  const auto M = static_cast<std::int64_t>(iddpm_levels().size());
  for (const auto& folder : {golden_folder(), std::filesystem::path(EDMUND_TEST_FOLDER "/golden")})
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (!entry.path().filename().string().starts_with("precond_")) continue;
      for (const auto& [name, u] : read_tensors(entry.path()).tensors) {
        if (!name.starts_with("iDDPMPrecond.") || !name.ends_with(".fp32.u") || u.numel() != M + 1) continue;
        const Tensor ascending = u.narrow(0, 0, M).flip(0).to(at::kDouble).contiguous();
        return {ascending.data_ptr<double>(), ascending.data_ptr<double>() + M};
      }
    }
  fail("golden: no table of iDDPM's default levels beside the samplers");
}

Run edm_run(Golden& golden, const std::string& name) {
  Settings settings = words_and_numbers(golden.settings().at(name));
  const double low = std::min(setting(settings, "sigma_min", 0.002), 0.002),
               high = std::max(setting(settings, "sigma_max", 80), 80.0);
  auto schedule = schedule_of("{type: edm, sigma_min: " + number_text(low) + ", sigma_max: " + number_text(high) + "}");
  Interval network{0.0, 1e300};
  if (name.starts_with("round_iddpm")) {
    const std::vector<double> levels = network_levels();
    network = {levels.front(), levels.back()};
    schedule = snapped(std::move(schedule), levels);
  }
  const std::string grid =
      "{type: karras" +
      take(settings, {{"steps", "num_steps"}, {"rho", "rho"}, {"sigma_min", "sigma_min"}, {"sigma_max", "sigma_max"}}) +
      "}";
  const std::string sampler =
      "{type: heun, final: euler" +
      take(settings, {{"S_churn", "S_churn"}, {"S_min", "S_min"}, {"S_max", "S_max"}, {"S_noise", "S_noise"}}) + "}";
  require(settings.empty(), "golden {}: case {} has the unknown setting '{}'", golden.name(), name,
          settings.empty() ? "" : settings.begin()->first);
  TimeGrid times = made(make_grid, grid, *schedule, network);
  return {std::move(schedule), times, made(make_sampler, sampler)};
}

// The nodes of the reference's grid: each σ that it evaluates at, once.
std::vector<double> nodes(Golden& golden, const std::string& name) {
  std::vector<double> out;
  for (const double sigma : golden.reals(name + ".eval_sigma"))
    if (out.empty() || sigma < out.back() * (1 - 1e-9)) out.push_back(sigma);
  return out;
}

// The reference makes ᾱ of the levels in float32: they are that uncertain, most where u is small.
// Ours are compared within that; the solver runs on the reference's, so that it is held to its own
// tolerance.
TimeGrid iddpm_grid(Golden& golden, const std::string& name, const NoiseSchedule& schedule, const TimeGrid& ours) {
  const std::vector<double> theirs = nodes(golden, name);
  golden.check(name + " levels", ours.t.size() == theirs.size());
  TimeGrid out;
  for (std::size_t i = 0; i < std::min(ours.t.size(), theirs.size()); ++i) {
    const double allowed = 16 * std::ldexp(1.0, -24) * (theirs[i] + 1 / theirs[i]);
    golden.check(name + " level " + std::to_string(i), std::abs(schedule.sigma(ours.t[i]) - theirs[i]) <= allowed);
    out.t.push_back(schedule.time(theirs[i]));
  }
  return out;
}

Run ablation_run(Golden& golden, const std::string& name, Settings settings) {
  const std::string solver = taken_word(settings, "solver", "heun"),
                    discretization = taken_word(settings, "discretization", "edm");
  const std::string schedule_name = taken_word(settings, "schedule", "linear"),
                    scaling = taken_word(settings, "scaling", "none");
  const std::map<std::string, std::string> grids{
      {"vp", "edm_vp"}, {"ve", "edm_ve"}, {"iddpm", "edm_iddpm"}, {"edm", "karras"}};
  const std::map<std::string, std::string> schedules{{"vp", "vp"}, {"ve", "ve, clock: sqrt"}, {"linear", "edm"}};
  const std::map<std::string, std::string> scales{{"vp", "variance_preserving"}, {"none", "unit"}};
  require(grids.contains(discretization) && schedules.contains(schedule_name) && scales.contains(scaling),
          "golden {}: case {} is unknown: {} {} {}", golden.name(), name, discretization, schedule_name, scaling);

  // The reference's schedule is solved from the range of the grid, whatever the grid is.
  const std::string grid_name = grids.at(discretization), epsilon_s = taken_word(settings, "epsilon_s", "0.001");
  const Interval usual = published_sigmas(grid_name, std::stod(epsilon_s));
  const std::string range = ", sigma_min: " + taken_word(settings, "sigma_min", number_text(usual.low)) +
                            ", sigma_max: " + taken_word(settings, "sigma_max", number_text(usual.high));
  auto schedule = schedule_of("{type: " + schedules.at(schedule_name) + ", scale: " + scales.at(scaling) + range +
                              (schedule_name == "vp" ? ", t_min: " + epsilon_s : "") + "}");

  std::string grid = "{type: " + grid_name + range + take(settings, {{"steps", "num_steps"}});
  if (discretization == "vp") grid += ", epsilon_s: " + epsilon_s;
  if (discretization == "iddpm") grid += take(settings, {{"M", "M"}, {"C_1", "C_1"}, {"C_2", "C_2"}});
  if (discretization == "edm") grid += take(settings, {{"rho", "rho"}});
  std::string sampler =
      "{type: " + solver + ", final: euler" +
      take(settings, {{"S_churn", "S_churn"}, {"S_min", "S_min"}, {"S_max", "S_max"}, {"S_noise", "S_noise"}});
  if (solver == "heun") sampler += take(settings, {{"alpha", "alpha"}});
  // What is left has no effect in the reference either: options of another discretization or
  // solver.
  for (const char* key : {"M", "C_1", "C_2", "rho", "alpha"}) settings.erase(key);
  require(settings.empty(), "golden {}: case {} has the unknown setting '{}'", golden.name(), name,
          settings.empty() ? "" : settings.begin()->first);
  TimeGrid times = made(make_grid, grid + "}", *schedule, Interval{0.0, 1e300});
  if (discretization == "iddpm") times = iddpm_grid(golden, name, *schedule, times);
  // Its lift of x by s·√(σ̂² - σ²)·n is not 0 without churn, since σ̂ = σ(σ⁻¹(σ)) is some ulps from
  // σ; sσ ≤ 1 here.
  const double lift =
      schedule_name == "vp" && scaling == "vp" ? 4 * std::sqrt(std::numeric_limits<double>::epsilon()) : 0.0;
  return {std::move(schedule), times, made(make_sampler, sampler + "}"), lift};
}

}  // namespace

TEST_CASE("heun on the karras grid is EDM's sampler, evaluation by evaluation", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"sampler_edm_"}, [](Golden& golden) {
    for (const auto& item : golden.settings().items()) check_run(golden, item.key(), edm_run(golden, item.key()), 1e-9);
  });
}

TEST_CASE("every solver, discretization, schedule and scaling is EDM's ablation sampler", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"sampler_ablation_"}, [](Golden& golden) {
    for (const auto& [name, value] : golden.settings().items())
      if (name != "det") check_run(golden, name, ablation_run(golden, name, words_and_numbers(value)), 1e-8);
    // det.SOLVER.DISCRETIZATION.SCHEDULE.SCALING
    const std::regex deterministic(R"((det\.(\w+)\.(\w+)\.(\w+)\.(\w+))\.out)");
    for (const auto& tensor : golden.names("det.")) {
      std::smatch m;
      if (!std::regex_match(tensor, m, deterministic)) continue;
      Settings settings = words_and_numbers(golden.settings().at("det"));
      settings.insert({{"solver", m[2]}, {"discretization", m[3]}, {"schedule", m[4]}, {"scaling", m[5]}});
      check_run(golden, m[1], ablation_run(golden, m[1], settings), 1e-8);
    }
  });
}

}  // namespace edmund::testing
