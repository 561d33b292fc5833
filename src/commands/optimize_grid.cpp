// optimize-grid: the N noise levels with which this network's sampler comes nearest to the
// converged solution of its ODE.
//
//   edmund optimize-grid RUN|CHECKPOINT --steps N [key=value…] [--images M] [--held-out K]
//       [--iterations I] [--out FILE] [--json]
//
// Starts from dynamic programming over a table of local errors and from the best standard grid, and
// refines both by the true error of M images. What it found is then compared with the standard
// grids on K other images, which are those that `edmund sample` draws first.
#include "adapter_flag.h"
#include "edmund/app/identity.h"
#include "edmund/app/run.h"
#include "edmund/commands/command.h"
#include "edmund/core/consecutive.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/kept_work.h"
#include "edmund/core/log.h"
#include "edmund/core/progress.h"
#include "edmund/core/stopwatch.h"
#include "edmund/core/text.h"
#include "edmund/generation/image_generator.h"
#include "edmund/studies/grid_search.h"

#include <algorithm>
#include <ATen/TensorOperators.h>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

using nlohmann::ordered_json;

struct Flags {
  Target target;
  std::string out;
  std::int64_t steps = 0, images = 128, held_out = 256, iterations = 30;
  bool json = false;
};

// Images 0 … count-1 of that seed in batches, each with its classes.
std::vector<GridImages> drawn(const Experiment& experiment, std::int64_t count, std::uint64_t seed) {
  const ImageGenerator generator(experiment.model, experiment.sampling, experiment.shape);
  std::vector<GridImages> out;
  for (std::int64_t first = 0; first < count; first += experiment.sampling.batch_size) {
    const auto numbers = consecutive(first, std::min(experiment.sampling.batch_size, count - first));
    const Tensor labels = class_labels(experiment.shape, experiment.sampling.classes, numbers);
    out.push_back({generator.denoiser(labels, std::make_shared<std::int64_t>(0)), generator.noise(numbers, seed)});
  }
  return out;
}

// The run's sampler with `final: none`.
Sampler stepper(const Experiment& experiment) {
  const std::vector<std::string> none{"sampling.sampler.final=none"};
  Options sampling = options_again(experiment, none).child("sampling");
  return make_sampling(sampling, experiment.model.preconditioning(), {}).sampler;
}

struct Judged {
  StandardGrid grid;
  GridDistance distance;
};

std::vector<Judged> judged(const ConvergedImages& images, const std::vector<StandardGrid>& grids) {
  std::vector<Judged> out;
  for (const auto& grid : grids) out.push_back({grid, images.distance(grid.sigmas)});
  std::stable_sort(out.begin(), out.end(),
                   [](const Judged& a, const Judged& b) { return a.distance.value < b.distance.value; });
  return out;
}

FoundGrid searched(const ConvergedImages& images, const Flags& flags, const std::vector<StandardGrid>& standard) {
  const std::vector<double> starts[] = {
      images.least_local_errors(flags.steps, std::max<std::int64_t>(32, 2 * flags.steps)),
      judged(images, standard).front().grid.sigmas};
  Progress progress("searching", "sweeps", 2 * flags.iterations);
  FoundGrid best;
  std::int64_t round = 0;
  for (const auto& start : starts) {
    const FoundGrid found = refined_grid(images, start, flags.iterations, [&](std::int64_t sweep, double distance) {
      progress.update(round * flags.iterations + sweep, "distance " + number_text(std::round(1e6 * distance) / 1e6));
    });
    log::debug("{} start: distance {} to {} in {} sweeps, {} trials",
               round == 0 ? "dynamic programming" : "standard grid", found.start, found.distance, found.sweeps,
               found.trials);
    if (best.sigmas.empty() || found.distance < best.distance) best = found;
    ++round;
  }
  progress.finish();
  return best;
}

ordered_json facts_of(const Judged& row) {
  return {{"name", row.grid.name},
          {"distance", row.distance.value},
          {"standard_error", row.distance.standard_error},
          {"evaluations", row.distance.evaluations},
          {"sigmas", row.grid.sigmas}};
}

// The optimized grid, then the best of each standard type.
void print(const std::vector<Judged>& rows, const Judged& optimized) {
  const auto line = [&](const Judged& row) {
    std::cout << "  " << std::left << std::setw(44) << row.grid.name << std::right << std::fixed << std::setprecision(5)
              << row.distance.value << " ± " << row.distance.standard_error << "   " << std::setprecision(2)
              << row.distance.value / optimized.distance.value << " x\n";
  };
  line(optimized);
  std::vector<std::string> seen;
  for (const auto& row : rows) {
    const std::string type = row.grid.name.substr(0, row.grid.name.find(','));
    if (std::find(seen.begin(), seen.end(), type) != seen.end()) continue;
    seen.push_back(type);
    line(row);
  }
}

GridTask task_of(const Experiment& experiment) {
  const auto& schedule = experiment.sampling.schedule;
  const TimeGrid& grid = experiment.sampling.grid;
  return {.schedule = schedule,
          .sampler = experiment.sampling.sampler,
          .stepper = stepper(experiment),
          .sigmas = {schedule->sigma(grid.t.back()), schedule->sigma(grid.t.front())}};
}

// What was found on the images of the search, and what it is worth on the held-out ones.
struct Outcome {
  FoundGrid found;
  Judged optimized;
  std::vector<Judged> standard;  // best first
  // share of the images that are nearer than with the best standard grid
  double nearer = 0.0;
  double uncertainty = 0.0;  // of the converged ODE
  double seconds = 0.0;
  double gain() const { return standard.front().distance.value / optimized.distance.value; }
};

Outcome outcome_of(const Flags& flags, const Experiment& experiment, const GridTask& task, KeptWork& kept) {
  const Stopwatch watch;
  const auto standard = standard_grids(*task.schedule, task.sigmas, flags.steps);
  require(!standard.empty(), "--steps: no grid of {} different times on this schedule and network", flags.steps);
  log::info("{} steps in place of {}: {} images to search with", flags.steps, experiment.sampling.name, flags.images);
  const std::uint64_t seed = experiment.config.seed;
  constexpr std::int64_t kReference = 128;  // steps
  const ConvergedImages search(task, drawn(experiment, flags.images, seed + 1), kReference, &kept, "search");
  Outcome out{.found = searched(search, flags, standard)};
  log::info("comparing on {} other images", flags.held_out);
  const ConvergedImages held_out(task, drawn(experiment, flags.held_out, seed), kReference, &kept, "held out");
  out.optimized = {{"optimized", out.found.sigmas}, held_out.distance(out.found.sigmas)};
  out.standard = judged(held_out, standard);
  const auto& best = out.standard.front().distance.each;
  out.nearer = (out.optimized.distance.each < best).to(at::kDouble).mean().item<double>();
  out.uncertainty = held_out.uncertainty();
  out.seconds = watch.seconds();
  return out;
}

// The grid as a file that `sampling.grid={type: file}` takes, with its origin on top.
void write_grid(const std::filesystem::path& file, const Outcome& outcome, const Flags& flags,
                const TrainedModel& trained) {
  const Judged& best = outcome.standard.front();
  const std::string about = format(
      "edmund optimize-grid: {} steps in place of {}, for {}\nMean distance to the converged ODE on {} held-out "
      "images: {} (best standard grid: {}, {})",
      flags.steps, trained.experiment.sampling.name, trained.checkpoint.string(), flags.held_out,
      outcome.optimized.distance.value, best.distance.value, best.grid.name);
  write_grid_file(file, outcome.found.sigmas, about);
}

ordered_json facts_of(const Outcome& outcome, const Flags& flags, const TrainedModel& trained, Interval sigmas) {
  const FoundGrid& found = outcome.found;
  ordered_json facts = {{"checkpoint", trained.checkpoint.string()},
                        {"sampling", trained.experiment.sampling.name},
                        {"steps", flags.steps},
                        {"evaluations", outcome.optimized.distance.evaluations},
                        {"sigma_range", {sigmas.low, sigmas.high}},
                        {"images", {{"search", flags.images}, {"held_out", flags.held_out}}},
                        {"reference_uncertainty", outcome.uncertainty},
                        {"search", {{"distance", found.distance}, {"sweeps", found.sweeps}, {"trials", found.trials}}},
                        {"gain", outcome.gain()},
                        {"images_nearer_than_best_standard", outcome.nearer},
                        {"seconds", outcome.seconds}};
  return facts;
}

ExitCode optimize(const Flags& flags) {
  if (!flags.out.empty()) require_file_like("--out", flags.out);
  const TrainedModel trained = load_model(flags.target.path, flags.target.overrides, Needs::kModel);
  const GridTask task = task_of(trained.experiment);
  const std::filesystem::path out =
      flags.out.empty() ? trained.run.path / format("grid-{}.yaml", flags.steps) : std::filesystem::path(flags.out);
  // Every trial is kept: an interrupted search is walked again, without drawing, to where it was.
  KeptWork kept(trained.run.path, "optimize-grid",
                format("{} {} {} {} {}", identity_of(trained), trained.experiment.config.seed, flags.steps,
                       flags.images, flags.held_out));
  const Outcome outcome = outcome_of(flags, trained.experiment, task, kept);
  write_grid(out, outcome, flags, trained);
  ordered_json facts = facts_of(outcome, flags, trained, task.sigmas);
  facts["grid_file"] = out.string();
  facts["optimized"] = facts_of(outcome.optimized);
  for (const auto& row : outcome.standard) facts["standard"].push_back(facts_of(row));
  std::filesystem::path json_file = out;
  write_file(json_file.replace_extension(".json"), json_text(facts, 2) + "\n");
  kept.finish();
  if (flags.json) {
    std::cout << json_text(facts, 2) << '\n';
    return ExitCode::kDone;
  }
  std::cout << format(
      "Mean distance to the converged ODE (itself known to {}), {} held-out images, {} evaluations each:\n",
      outcome.uncertainty, flags.held_out, outcome.optimized.distance.evaluations);
  print(outcome.standard, outcome.optimized);
  std::cout << format(
      "nearer than the best standard grid: {} % of the images\ngrid: {}; use it with 'sampling.grid={type: file, file: "
      "{}}'\n",
      std::round(100 * outcome.nearer), out.string(), Options::quoted(out.string()));
  return ExitCode::kDone;
}

}  // namespace

Action make_optimize_grid(CLI::App& arguments) {
  const auto flags = std::make_shared<Flags>();
  add_target(arguments, flags->target, "RUN or RUN/checkpoints/N");
  add_adapters(arguments, flags->target);
  add_integer(arguments, "--steps", flags->steps, {1, 100},
              "grid points (evaluations: as many for euler, 2 N - 1 for heun)")
      ->required();
  add_integer(arguments, "--images", flags->images, {2, 1'000'000}, "images to search with (default 128)");
  add_integer(arguments, "--held-out", flags->held_out, {2, 1'000'000}, "other images to compare on (default 256)");
  add_integer(arguments, "--iterations", flags->iterations, {2, 1'000'000},
              "most sweeps over the levels from each start, at least 2 (default 30)");
  arguments.add_option("--out", flags->out, "grid file (default: RUN/grid-N.yaml), with its facts as .json beside it");
  arguments.add_flag("--json", flags->json, "facts as JSON");
  return [=] { return optimize(*flags); };
}

}  // namespace edmund
