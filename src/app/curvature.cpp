#include "edmund/app/curvature.h"

#include "edmund/core/consecutive.h"
#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/json_text.h"
#include "edmund/core/log.h"
#include "edmund/core/parsed_json.h"
#include "edmund/core/sealed_json.h"
#include "edmund/generation/given_noise.h"
#include "edmund/samplers/velocity.h"

#include <algorithm>
#include <ATen/TensorOperators.h>
#include <c10/core/InferenceMode.h>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

namespace edmund {
namespace {

constexpr std::int64_t kLevels = 96;

// {schedule, grid}: usual ways to cut the noise levels into steps.
constexpr std::pair<const char*, const char*> kUsual[] = {
    {"edm", "karras"}, {"edm", "log_snr"}, {"vp", "uniform"}, {"ve", "uniform"}, {"flow", "uniform"}};

// States of the solution in the order of the levels.
using Solution = std::vector<Evaluation>;

Solution solved(const Denoiser& D, const Tensor& noise, std::span<const double> levels) {
  Options options = Options::read_text("{type: dpmpp_2m, final: denoise}", "solution");
  Options edm =
      Options::read_text(format("{type: edm, sigma_min: {}, sigma_max: {}}", levels.back(), levels.front()), "edm");
  const Sampling sampling{
      .schedule = make_schedule(edm), .grid = {{levels.begin(), levels.end()}}, .sampler = make_sampler(options)};
  const auto trace = std::make_shared<Solution>();
  GivenNoise start(noise, "the solver drew noise");
  sampled(sampling, recorded(D, trace), start, {noise.size(1), noise.size(2), noise.size(3)});
  return *trace;
}

// z and D at a noise level between the first and the last: the cubic in ln σ with the values and
// slopes, dz/d ln σ = z - D, of its neighbours.
std::pair<Tensor, Tensor> state_at(const Solution& solution, double sigma) {
  const auto after = std::find_if(solution.begin() + 1, solution.end() - 1,
                                  [&](const Evaluation& state) { return state.sigma <= sigma; });
  const Evaluation &a = *(after - 1), &b = *after;
  const double h = std::log(b.sigma / a.sigma), u = std::clamp(std::log(sigma / a.sigma) / h, 0.0, 1.0), v = 1 - u;
  const Tensor slope_a = h * (a.z - a.denoised), slope_b = h * (b.z - b.denoised);
  const Tensor z = v * v * (1 + 2 * u) * a.z + u * u * (1 + 2 * v) * b.z + u * v * (v * slope_a - u * slope_b);
  const Tensor slope = 6 * u * v * (b.z - a.z) + v * (v - 2 * u) * slope_a + u * (u - 2 * v) * slope_b;
  return {z, z - slope / h};
}

StepErrors errors_of(const Solution& solution, const ClockedGrid& clocked) {
  StepErrors out{.name = clocked.name};
  const NoiseSchedule& schedule = *clocked.schedule;
  const double high = solution.front().sigma * (1 + 1e-9), low = solution.back().sigma * (1 - 1e-9);
  std::vector<double> times;
  for (const double t : clocked.grid.t)
    if (const double sigma = schedule.sigma(t); sigma <= high && sigma >= low) {
      times.push_back(t);
      out.sigma.push_back(sigma);
    }
  for (std::size_t i = 0; i + 1 < times.size(); ++i) {
    const double t = times[i], next = times[i + 1];
    const auto [z, denoised] = state_at(solution, out.sigma[i]);
    const Denoiser known = [D = denoised](const Tensor&, double) { return D; };
    const Tensor x = schedule.scale(t) * z, moved = x + (next - t) * velocity(known, schedule, x, t);
    const Tensor off = moved / schedule.scale(next) - state_at(solution, out.sigma[i + 1]).first;
    out.error.push_back(off.square().mean().sqrt().item<double>());
  }
  return out;
}

// Uniform in ln σ, or the nearest of those that the network knows.
std::vector<double> solution_levels(Interval sigmas, const std::vector<double>& known) {
  std::vector<double> out;
  for (std::int64_t i = 0; i < kLevels; ++i) {
    const double share = static_cast<double>(i) / static_cast<double>(kLevels - 1);
    double sigma = i + 1 == kLevels ? sigmas.low : sigmas.high * std::pow(sigmas.low / sigmas.high, share);
    if (!known.empty())
      sigma = *std::min_element(known.begin(), known.end(),
                                [&](double a, double b) { return std::abs(a - sigma) < std::abs(b - sigma); });
    if (out.empty() || sigma < out.back()) out.push_back(sigma);
  }
  return out;
}

bool same_levels(const ClockedGrid& a, const ClockedGrid& b) {
  return std::equal(a.grid.t.begin(), a.grid.t.end(), b.grid.t.begin(), b.grid.t.end(), [&](double t, double u) {
    return std::abs(a.schedule->sigma(t) / b.schedule->sigma(u) - 1) < 1e-6;
  });
}

std::vector<ClockedGrid> grids_of(const Sampling& sampling, Interval sigmas) {
  std::vector<ClockedGrid> out{{"this run: " + sampling.name, sampling.schedule, sampling.grid}};
  for (const auto& [schedule, type] : kUsual) {
    Options clock = Options::read_text(format("{type: {}}", schedule), "schedule"),
            grid = Options::read_text(format("{type: {}, steps: {}}", type, sampling.grid.t.size()), "grid");
    ClockedGrid usual{.name = format("{} on {}", type, schedule), .schedule = make_schedule(clock)};
    usual.grid = make_grid(grid, *usual.schedule, sigmas);
    if (!same_levels(usual, out.front())) out.push_back(std::move(usual));
  }
  return out;
}

}  // namespace

std::vector<StepErrors> step_errors(const Denoiser& D, const Tensor& noise, std::span<const double> levels,
                                    std::span<const ClockedGrid> grids) {
  require(levels.size() >= 2, "the ODE's solution needs at least 2 noise levels, found {}", levels.size());
  const c10::InferenceMode inference;
  const Solution solution = solved(D, noise, levels);
  std::vector<StepErrors> out;
  for (const ClockedGrid& grid : grids) out.push_back(errors_of(solution, grid));
  return out;
}

std::filesystem::path curvature_file(const RunFolder& run) { return run.images() / "curvature.json"; }

void write_curvature(const RunFolder& run, const ImageGenerator& generator, std::int64_t images, std::uint64_t seed) {
  const Sampling& sampling = generator.sampling();
  if (sampling.grid.t.size() < 2) return;
  const NoiseSchedule& schedule = *sampling.schedule;
  const Interval sigmas{schedule.sigma(sampling.grid.t.back()), schedule.sigma(sampling.grid.t.front())};
  const auto numbers = consecutive(0, images);
  const auto evaluations = std::make_shared<std::int64_t>(0);
  const Denoiser D =
      generator.denoiser(class_labels(generator.shape(), generator.sampling().classes, numbers), evaluations);
  const auto errors =
      step_errors(D, generator.noise(numbers, seed),
                  solution_levels(sigmas, generator.model().preconditioning().levels), grids_of(sampling, sigmas));
  nlohmann::ordered_json out = {{"images", images}, {"seed", seed}, {"evaluations", *evaluations}};
  for (const StepErrors& grid : errors)
    out["grids"].push_back({{"name", grid.name}, {"sigma", grid.sigma}, {"error", grid.error}});
  make_folder(run.images());
  write_file(curvature_file(run), json_text(sealed(std::move(out)), 1) + "\n");
}

nlohmann::ordered_json read_curvature(const RunFolder& run) {
  const std::filesystem::path file = curvature_file(run);
  if (!std::filesystem::exists(file)) return {};
  auto found = parsed_json<nlohmann::ordered_json>(read_file(file));
  if (is_whole(found)) return found;
  log::warn("{}: damaged; `edmund evaluate` makes it again", file);
  return {};
}

}  // namespace edmund
