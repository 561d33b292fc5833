// Beta tables, variances and time steps of diffusers, and the σ grids of k-diffusion.
#include "edmund/core/error.h"
#include "edmund/diffusion/time_grid.h"
#include "edmund/samplers/posterior.h"
#include "edmund/schedules/betas.h"
#include "schedules/cases.h"
#include "schedules/float_tables.h"
#include "support/catch.h"
#include "support/golden.h"

#include <algorithm>
#include <ATen/ops/tensor.h>
#include <cmath>
#include <regex>

namespace edmund::testing {
namespace {

// What the first group of `pattern` matches in the notes.
std::string noted(const Golden& golden, const std::string& pattern) {
  std::smatch match;
  const std::string notes = golden.notes();
  require(std::regex_search(notes, match, std::regex(pattern)), "golden {}: the notes say nothing like '{}'",
          golden.name(), pattern);
  return match[1];
}

// "1e-4..0.02" as options of the ddpm schedule.
std::string beta_options(const std::string& range) {
  const auto dots = range.find("..");
  require(dots != std::string::npos, "golden: '{}' is not a range of betas", range);
  return ", beta_start: " + range.substr(0, dots) + ", beta_end: " + range.substr(dots + 2);
}

struct Table {
  std::unique_ptr<NoiseSchedule> schedule;
  std::vector<double> betas;  // before they are rescaled
};

// The table that diffusers calls `kind`.
Table table(Golden& golden, const std::string& kind, bool zero_snr) {
  const auto N = golden.settings().at("num_train_timesteps_of_tables").get<std::int64_t>();
  const std::string ours = kind == "squaredcos_cap_v2" ? "cosine" : kind;
  std::string yaml = "{type: ddpm, betas: " + ours + ", N: " + std::to_string(N) +
                     ", zero_terminal_snr: " + (zero_snr ? "true" : "false");
  double low = 0, high = 0;
  if (ours != "cosine") {
    const std::string range = golden.settings().at("beta_ranges").at(kind).get<std::string>();
    yaml += beta_options(range);
    low = std::stod(range), high = std::stod(range.substr(range.find("..") + 2));
  }
  return {schedule_of(yaml + "}"), make_betas(ours, N, low, high)};
}

void check_table(Golden& golden, const std::string& name, const std::string& kind, bool zero_snr) {
  const Table ours = table(golden, kind, zero_snr);
  if (name.ends_with(".betas")) return check_betas(golden, name, ours.betas, zero_snr);
  check_alpha_bar(golden, name, alphas_cumprod(zero_snr ? with_zero_terminal_snr(ours.betas) : ours.betas), ours.betas,
                  zero_snr, 1e-5);
  std::vector<double> squares;
  for (std::size_t t = 1; t <= ours.betas.size(); ++t)
    squares.push_back(std::pow(ours.schedule->scale(static_cast<double>(t)), 2));
  check_alpha_bar(golden, name, squares, ours.betas, zero_snr, 1e-5);
}

// Variances between the entries of a leading grid: posterior, its square root, or β.
void check_variances(Golden& golden, const std::string& name, const std::string& kind, const std::string& count,
                     const std::string& type) {
  const Table ours = table(golden, kind, false);
  const TimeGrid grid =
      made(make_grid, "{type: native, spacing: leading, steps: " + count + "}", *ours.schedule, Interval{0, 1e300});
  std::vector<double> variances;
  for (std::size_t i = 0; i < grid.t.size(); ++i) {
    const NoiseSchedule& schedule = *ours.schedule;
    const bool last = i + 1 == grid.t.size();
    const double sigma = schedule.sigma(grid.t[i]), next = last ? 0.0 : schedule.sigma(grid.t[i + 1]),
                 s_next = last ? 1.0 : schedule.scale(grid.t[i + 1]);
    const double beta = std::pow(transition_std(schedule, grid.t[i], next), 2),
                 posterior = std::pow(s_next * ancestral_step(sigma, next, 1.0).up, 2);
    const double floored = std::max(posterior, 1e-20);  // of the reference
    require(type == "fixed_small" || type == "fixed_small_log" || type == "fixed_large",
            "golden {}: unknown variance '{}'", golden.name(), type);
    variances.push_back(type == "fixed_large" ? beta : type == "fixed_small" ? floored : std::sqrt(floored));
  }
  golden.check_max(name, at::tensor(variances), 1e-5);
}

void check_timesteps(Golden& golden, const std::string& name, const std::string& spacing, const std::string& steps,
                     const std::string& offset) {
  const std::string N = noted(golden, "timesteps[^\n]*num_train_timesteps (\\d+)");
  const auto schedule = schedule_of("{type: ddpm, N: " + N + "}");
  const TimeGrid grid =
      made(make_grid, "{type: native, spacing: " + spacing + ", steps: " + steps + ", offset: " + offset + "}",
           *schedule, Interval{0, 1e300});
  std::vector<double> ours;
  for (const double t : grid.t) ours.push_back(t - 1);  // the reference counts from 0
  golden.check_each(name, ours, 0.0);
}

void check_forward(Golden& golden) {
  const std::string range = noted(golden, "forward[^\n]*linear betas ([-+.e0-9]+\\.\\.[-+.e0-9]+)");
  const auto schedule =
      schedule_of("{type: ddpm, betas: linear, N: " + noted(golden, "forward[^\n]* (\\d+) train steps") +
                  beta_options(range) + "}");
  const Tensor x0 = golden.real("forward.x0"), eps = golden.real("forward.eps");
  std::vector<double> s, sigma;
  for (const double t : golden.reals("forward.t"))
    s.push_back(schedule->scale(t + 1)), sigma.push_back(schedule->sigma(t + 1));
  const Tensor scale = at::tensor(s).view({-1, 1, 1, 1}), noise = at::tensor(sigma).view({-1, 1, 1, 1});
  golden.check_max("forward.x_t", scale * (x0 + noise * eps), 1e-5);
  golden.check_max("forward.velocity", scale * (eps - noise * x0), 1e-5);
}

void check_split(Golden& golden, const std::string& name, double eta) {
  const auto pairs = golden.reals("ancestral.sigma_from_to");
  std::vector<double> ours;
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    const AncestralStep step = ancestral_step(pairs[i], pairs[i + 1], eta);
    ours.insert(ours.end(), {step.down, step.up});
  }
  golden.check_each(name, at::tensor(ours).view({-1, 2}), 1e-12);
}

}  // namespace

TEST_CASE("beta tables, variances and time steps are those of diffusers", "[golden][schedules]") {
  for_each_golden({"schedule_"}, [](Golden& golden) {
    const std::regex tables(R"((ddpm|ddim)\.(\w+?)(\.zero_snr)?\.(betas|alphas_cumprod))"),
        variances(R"(ddpm\.(\w+)\.variance_(\d+)steps\.(\w+))"),
        timesteps(R"(ddim\.timesteps\.(\w+)\.(\d+)\.offset(\d+))");
    for (const auto& name : golden.names()) {
      std::smatch m;
      if (std::regex_match(name, m, tables))
        check_table(golden, name, m[2], m[3].matched);
      else if (std::regex_match(name, m, variances))
        check_variances(golden, name, m[1], m[2], m[3]);
      else if (std::regex_match(name, m, timesteps))
        check_timesteps(golden, name, m[1], m[2], m[3]);
    }
    if (golden.has("forward.t")) check_forward(golden);
  });
}

TEST_CASE("grids are those of k-diffusion", "[golden][schedules]") {
  for_each_golden({"kdiffusion_sigma_schedules"}, [](Golden& golden) {
    for (const auto& [name, settings] : golden.settings().items()) {
      const std::string kind = name.substr(0, name.find('.'));
      const auto args = settings.at("args").get<std::vector<double>>();
      const auto text = [&](std::size_t i) { return number_text(args.at(i)); };
      std::unique_ptr<NoiseSchedule> schedule;
      bool ends_clean = false;
      std::string grid = "steps: " + text(0) + ", type: ";
      if (kind == "vp") {
        const auto setting = [&](const char* key, std::size_t i, double usual) {
          return args.size() > i ? args[i] : settings.value(key, usual);
        };
        const double beta_d = setting("beta_d", 1, 19.9), beta_min = setting("beta_min", 2, 0.1);
        const double eps_s = setting("eps_s", 3, 1e-3), gaps = args.at(0) - 1;
        schedule = schedule_of("{type: vp, beta_min: " + number_text(beta_min) +
                               ", beta_max: " + number_text(beta_min + beta_d) +
                               ", t_min: " + number_text(eps_s > 0 ? eps_s : 1e-9) + "}");
        grid += "uniform";
        // Down to t = 0, the clean image: one time less on our grid.
        ends_clean = eps_s == 0;
        if (ends_clean) grid = "type: uniform, to_clean: true, steps: " + number_text(gaps);
      } else {
        schedule = schedule_of("{type: edm, sigma_min: " + text(1) + ", sigma_max: " + text(2) + "}");
        grid += (kind == "karras"                                     ? "karras"
                 : kind == "exponential" || kind == "polyexponential" ? "log_snr"
                                                                      : kind) +
                ", sigma_min: " + text(1) + ", sigma_max: " + text(2) +
                (settings.contains("rho") ? ", rho: " + number_text(settings.at("rho").get<double>()) : "");
      }
      std::vector<double> sigmas;
      for (const double t : made(make_grid, "{" + grid + "}", *schedule, Interval{0, 1e300}).t)
        sigmas.push_back(schedule->sigma(t));
      if (ends_clean) sigmas.push_back(0.0);
      sigmas.push_back(0.0);
      golden.check_each(name + ".fp64", sigmas, 1e-12);
      golden.check_max(name + ".fp32", at::tensor(sigmas), 1e-5);
    }
    const std::regex splits(R"(ancestral\.eta([0-9.]+)\.down_up)");
    for (const auto& name : golden.names("ancestral."))
      if (std::smatch m; std::regex_match(name, m, splits)) check_split(golden, name, std::stod(m[1]));
  });
}

}  // namespace edmund::testing
