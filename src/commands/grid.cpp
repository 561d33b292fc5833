// grid: the noise levels that a config's grid visits, one a line and to the last digit, for other
// programs, or as a grid file.
//
//   edmund grid CONFIG|RUN [sampling.grid.steps=10 …] [--form diffusers|comfyui] [--out FILE.yaml]
//       [--json]
//
// --form diffusers   sigmas=[…, 0.0], and timesteps=[…] where the schedule is a table: arguments of
//                    set_timesteps() of its schedulers and of its pipelines
// --form comfyui     what its node ManualSigmas takes: with commas between, 0.0 at the end
//
// On straight paths (x = (1 - t)·x0 + t·noise, schedule `flow`) these programs call t = σ/(1 + σ)
// the noise level: then it is printed; diffusers' flow schedulers add the final zero themselves.
// What is printed is read back by the grid types `explicit` (sigmas, times, timesteps) and `file`.

#include "edmund/app/config.h"
#include "edmund/commands/command.h"
#include "edmund/core/format.h"
#include "edmund/core/json_text.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

struct GridFlags {
  Target target;
  std::string out, form;
  bool json = false;
};

// "80.0, 2.5, 0.0": digits enough to read the same numbers back, and a point in each for Python.
std::string list_of(const std::vector<double>& numbers) {
  std::string out;
  for (const double number : numbers) {
    const std::string text = number_text(number);
    out += (out.empty() ? "" : ", ") + text + (text.find_first_of(".en") == std::string::npos ? ".0" : "");
  }
  return out;
}

// Whether x = (1 - t)·x0 + t·noise all along: s(1 + σ) = 1.
bool is_straight(const Sampling& sampling) {
  return std::ranges::all_of(sampling.grid.t, [&](double t) {
    const double s = sampling.schedule->scale(t);
    return s < 1 && std::abs(s * (1 + sampling.schedule->sigma(t)) - 1) < 1e-9;
  });
}

// The entry of a table, counted from 0, whose level this is; on levels between two of them the
// number between, by ln σ as diffusers has it.
double entry_of(const std::vector<double>& levels, double sigma) {
  const auto above = std::ranges::lower_bound(levels, sigma);
  if (above == levels.begin()) return 0;
  if (above == levels.end()) return static_cast<double>(levels.size() - 1);
  const auto high = static_cast<double>(above - levels.begin());
  const double part = (std::log(sigma) - std::log(*(above - 1))) / (std::log(*above) - std::log(*(above - 1)));
  constexpr double kRounding = 1e-9;
  return part > 1 - kRounding ? high : part < kRounding ? high - 1 : high - 1 + part;
}

std::string diffusers_text(const Sampling& sampling, std::vector<double> sigmas) {
  if (is_straight(sampling)) return format("sigmas=[{}]\n", list_of(sigmas));
  std::vector<double> entries;
  const std::vector<double>& levels = sampling.schedule->levels();
  if (!levels.empty())
    for (const double sigma : sigmas) entries.push_back(entry_of(levels, sigma));
  sigmas.push_back(0);
  std::string out = format("sigmas=[{}]\n", list_of(sigmas));
  if (entries.empty()) return out;
  const bool whole = std::ranges::all_of(entries, [](double x) { return x == std::floor(x); });
  if (!whole) return out + format("timesteps=[{}]\n", list_of(entries));
  std::string numbers;
  for (const double entry : entries)
    numbers += format("{}{}", numbers.empty() ? "" : ", ", static_cast<std::int64_t>(entry));
  return out + format("timesteps=[{}]\n", numbers);
}

void print(const Sampling& sampling, const GridFlags& flags, const std::vector<double>& sigmas) {
  std::vector<double> theirs = sigmas;  // in the unit of other programs
  if (!flags.form.empty() && is_straight(sampling))
    for (double& sigma : theirs) sigma /= 1 + sigma;
  if (flags.json) {
    nlohmann::ordered_json levels = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < sigmas.size(); ++i) {
      const double t = sampling.grid.t[i];
      levels.push_back({{"sigma", sigmas[i]}, {"t", t}, {"s", sampling.schedule->scale(t)}});
    }
    std::cout << json_text(nlohmann::ordered_json{{"sampling", sampling.name}, {"levels", levels}}, 2) << '\n';
  } else if (flags.form == "diffusers") {
    std::cout << diffusers_text(sampling, theirs);
  } else if (flags.form == "comfyui") {
    theirs.push_back(0);
    std::cout << list_of(theirs) << '\n';
  } else {
    for (const double sigma : sigmas) std::cout << number_text(sigma) << '\n';
  }
}

}  // namespace

Action make_print_grid(CLI::App& arguments) {
  const auto flags = std::make_shared<GridFlags>();
  add_target(arguments, flags->target, "CONFIG.yaml or RUN");
  arguments.add_option("--form", flags->form, "as another program takes them: diffusers or comfyui");
  arguments.add_option("--out", flags->out, "also writes a file that 'sampling.grid={type: file, file: FILE}' reads");
  arguments.add_flag("--json", flags->json, "sigma, t and s of each level, as JSON");
  return [=] {
    const std::vector<std::string_view> known = {"diffusers", "comfyui"};
    require(flags->form.empty() || std::ranges::find(known, flags->form) != known.end(), "--form: unknown form {}{}",
            in_quotes(flags->form), suggestion(flags->form, known));
    require(flags->form.empty() || !flags->json, "--form and --json exclude each other");
    if (!flags->out.empty()) require_file_like("--out", flags->out);
    const Sampling sampling = construct(parse(options_of(flags->target)), Needs::kSettings).sampling;
    std::vector<double> sigmas;
    for (const double t : sampling.grid.t) sigmas.push_back(sampling.schedule->sigma(t));
    print(sampling, *flags, sigmas);
    if (!flags->out.empty()) write_grid_file(flags->out, sigmas, "edmund grid: " + sampling.name);
    return ExitCode::kDone;
  };
}

}  // namespace edmund
