#include "edmund/studies/grid_search.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/stop.h"
#include "edmund/core/text.h"
#include "edmund/diffusion/forbidden_noise.h"
#include "edmund/generation/given_noise.h"
#include "edmund/generation/sampling.h"
#include "edmund/io/tensor_file.h"

#include <algorithm>
#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>
#include <cmath>
#include <limits>
#include <utility>

namespace edmund {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

constexpr const char* kNoNoise =
    "a grid can be optimized for a sampler that draws no noise only: this one does (churn, eta, lambda or its kind)";

// ρ = 7 levels from `high` to `low`.
std::vector<double> karras_levels(Interval sigmas, std::int64_t steps) {
  std::vector<double> out;
  const double first = std::pow(sigmas.high, 1.0 / 7), last = std::pow(sigmas.low, 1.0 / 7);
  for (std::int64_t i = 0; i <= steps; ++i)
    out.push_back(std::pow(std::lerp(first, last, static_cast<double>(i) / static_cast<double>(steps)), 7));
  out.front() = sigmas.high;
  out.back() = sigmas.low;
  return out;
}

// dz/dσ = (z - D)/σ by Heun's method; z at every level.
std::vector<Tensor> trajectory(const Denoiser& D, Tensor z, const std::vector<double>& levels) {
  std::vector<Tensor> out{z};
  for (std::size_t i = 0; i + 1 < levels.size(); ++i) {
    const double sigma = levels[i], next = levels[i + 1], h = next - sigma;
    const Tensor now = (z - D(z, sigma)) / sigma, moved = z + h * now;
    z = z + 0.5 * h * (now + (moved - D(moved, next)) / next);
    out.push_back(z);
  }
  return out;
}

// Root mean square over all elements of what `difference` gives for each batch.
template <typename Difference>
double rms(std::size_t batches, const Difference& difference) {
  double sum = 0.0, count = 0.0;
  for (std::size_t b = 0; b < batches; ++b) {
    const Tensor found = difference(b);
    sum += found.square().sum().template item<double>();
    count += static_cast<double>(found.numel());
  }
  return std::sqrt(sum / count);
}

// Root mean square over the elements of each image, [B].
Tensor rms_of_each(const Tensor& difference) { return difference.square().flatten(1).mean(1).sqrt(); }

// Empty if the levels fall together on the schedule.
TimeGrid grid_of(const NoiseSchedule& schedule, const std::vector<double>& sigmas) {
  TimeGrid grid;
  for (const double sigma : sigmas) {
    const double t = schedule.snap(schedule.time(sigma));
    if (!grid.t.empty() && !(t < grid.t.back())) return {};
    grid.t.push_back(t);
  }
  return grid;
}

// The N nodes, ascending, of least cost in all; none if every path is infinitely dear. Dynamic
// programming over paths by their number of nodes and their last one.
template <typename PathCosts>
std::vector<std::size_t> cheapest_path(const PathCosts& costs, std::size_t N) {
  const std::size_t K = costs.first.size();
  // [n][j]: of n + 1 nodes up to j
  std::vector<std::vector<double>> best(N, std::vector<double>(K, kInfinite));
  // the node before j on it
  std::vector<std::vector<std::size_t>> from(N, std::vector<std::size_t>(K, 0));
  best[0] = costs.first;
  for (std::size_t n = 1; n < N; ++n)
    for (std::size_t i = 0; i < K; ++i)
      for (std::size_t j = i + 1; j < K; ++j)
        if (const double sum = best[n - 1][i] + costs.step[i][j]; sum < best[n][j]) {
          best[n][j] = sum;
          from[n][j] = i;
        }
  std::size_t at = 0;
  double least = kInfinite;
  for (std::size_t j = N - 1; j < K; ++j)
    if (const double sum = best[N - 1][j] + costs.last[j]; sum < least) {
      least = sum;
      at = j;
    }
  if (!std::isfinite(least)) return {};
  std::vector<std::size_t> out(N);
  for (std::size_t n = N; n-- > 0; at = from[n][at]) out[n] = at;
  return out;
}

}  // namespace

ConvergedImages::ConvergedImages(GridTask task, std::vector<GridImages> images, std::int64_t steps, KeptWork* kept,
                                 std::string name)
    : task_(std::move(task)), images_(std::move(images)), kept_(kept), name_(std::move(name)) {
  const c10::InferenceMode inference;
  const Interval sigmas = task_.sigmas;
  levels_ = karras_levels(sigmas, steps);
  const auto coarse = karras_levels(sigmas, steps / 2);
  states_.resize(images_.size());
  std::vector<Tensor> changes;
  for (std::size_t b = 0; b < images_.size(); ++b) {
    const auto& [D, noise] = images_[b];
    const std::string bytes = piece(format("solution {}", b), [&] {
      states_[b] = trajectory(D, sigmas.high * noise, levels_);
      const Tensor clean = D(states_[b].back(), sigmas.low);
      const Tensor rough = D(trajectory(D, sigmas.high * noise, coarse).back(), sigmas.low);
      return tensor_bytes({{"clean", clean}, {"change", rms_of_each(rough - clean)}});
    });
    const TensorFile found = parse_tensors(bytes, name_);
    clean_.push_back(found.at("clean").to(noise.device()));
    changes.push_back(found.at("change"));
  }
  uncertainty_ = at::cat(changes).mean().item<double>();
}

std::string ConvergedImages::piece(const std::string& what, const std::function<std::string()>& work) const {
  if (kept_ != nullptr) return kept_->piece(name_ + " " + what, work);
  StopRequest::check();
  return work();
}

void ConvergedImages::trace_states() const {
  for (std::size_t b = 0; b < images_.size(); ++b) {
    if (!states_[b].empty()) continue;
    StopRequest::check();
    states_[b] = trajectory(images_[b].denoiser, task_.sigmas.high * images_[b].noise, levels_);
  }
}

GridDistance ConvergedImages::distance(const std::vector<double>& sigmas) const {
  const c10::InferenceMode inference;
  const TimeGrid grid = grid_of(*task_.schedule, sigmas);
  if (grid.t.empty()) return {.value = kInfinite};
  const auto view = std::string_view(reinterpret_cast<const char*>(sigmas.data()), sigmas.size() * sizeof(double));
  const TensorFile found = parse_tensors(
      piece("distance " + checksum(view),
            [&] {
              const GridDistance distance = measured(grid);
              return tensor_bytes({{"each", distance.each}}, {{"evaluations", std::to_string(distance.evaluations)}});
            }),
      name_);
  const Tensor all = found.at("each");
  const double mean = all.mean().item<double>(), images = static_cast<double>(all.numel());
  if (!std::isfinite(mean)) return {.value = kInfinite};
  const double deviation = images > 1 ? all.std().item<double>() / std::sqrt(images) : 0.0;
  return {.value = mean,
          .standard_error = deviation,
          .each = all,
          .evaluations = parse_integer(found.metadata.at("evaluations")).value()};
}

// `each` and `evaluations` alone.
GridDistance ConvergedImages::measured(const TimeGrid& grid) const {
  const Sampling sampling{.schedule = task_.schedule, .grid = grid, .sampler = task_.sampler};
  std::vector<Tensor> each;
  const auto evaluations = std::make_shared<std::int64_t>(0);
  for (std::size_t b = 0; b < images_.size(); ++b) {
    StopRequest::check();
    const Tensor& start = images_[b].noise;
    GivenNoise noise(start, kNoNoise);
    *evaluations = 0;
    const Tensor image = sampled(sampling, counted(images_[b].denoiser, evaluations), noise,
                                 {start.size(1), start.size(2), start.size(3)});
    each.push_back(rms_of_each(image - clean_[b]));
  }
  return {.each = at::cat(each).cpu(), .evaluations = *evaluations};
}

std::vector<double> ConvergedImages::least_local_errors(std::int64_t steps, std::int64_t candidates) const {
  const c10::InferenceMode inference;
  std::vector<std::size_t> nodes;  // of the trajectory
  const std::size_t last = levels_.size() - 1,
                    count = std::min<std::size_t>(static_cast<std::size_t>(candidates), last);
  for (std::size_t k = 0; k <= count; ++k) nodes.push_back(k * last / count);
  const std::size_t K = nodes.size(), N = static_cast<std::size_t>(steps);
  require(N <= K, "dynamic programming: {} steps of {} candidates", N, K);

  const std::size_t batches = images_.size();
  const Tensor mean = at::cat(clean_).mean(0, /*keepdim=*/true);
  const double deviation = rms(batches, [&](std::size_t b) { return clean_[b] - mean; });
  const double variance = deviation * deviation, end = task_.sigmas.low;
  const auto carried = [&](double sigma) { return std::sqrt((variance + end * end) / (variance + sigma * sigma)); };

  const PathCosts errors = local_errors(nodes);
  PathCosts costs{.first = {}, .step = std::vector(K, std::vector(K, kInfinite)), .last = errors.last};
  for (std::size_t i = 0; i < K; ++i) {
    costs.first.push_back(carried(levels_[nodes[i]]) * errors.first[i]);
    for (std::size_t j = i + 1; j < K; ++j) costs.step[i][j] = carried(levels_[nodes[j]]) * errors.step[i][j];
  }
  std::vector<double> out;
  for (const std::size_t at : cheapest_path(costs, N)) out.push_back(levels_[nodes[at]]);
  require(!out.empty(), "no grid of {} steps between the noise levels {} and {}", steps, task_.sigmas.low,
          task_.sigmas.high);
  return out;
}

ConvergedImages::PathCosts ConvergedImages::local_errors(const std::vector<std::size_t>& nodes) const {
  const std::size_t K = nodes.size();
  // Doubles that are kept, under the name of what they are of.
  const auto doubles = [&](const std::string& what, const std::function<std::vector<double>()>& computed) {
    const Tensor kept = parse_tensors(piece(format("{} of {}", what, K),
                                            [&] {
                                              trace_states();
                                              return tensor_bytes({{"values", at::tensor(computed(), at::kDouble)}});
                                            }),
                                      name_)
                            .at("values");
    const auto* values = kept.const_data_ptr<double>();
    return std::vector<double>(values, values + kept.numel());
  };
  PathCosts out;
  out.first = doubles("starts", [&] {
    std::vector<double> all;
    for (const std::size_t node : nodes)
      all.push_back(
          rms(images_.size(), [&](std::size_t b) { return levels_[node] * images_[b].noise - states_[b][node]; }));
    return all;
  });
  out.last = doubles("ends", [&] {
    std::vector<double> all;
    for (const std::size_t node : nodes)
      all.push_back(rms(images_.size(), [&](std::size_t b) {
        return images_[b].denoiser(states_[b][node], levels_[node]) - clean_[b];
      }));
    return all;
  });
  for (std::size_t i = 0; i < K; ++i)
    out.step.push_back(doubles(format("steps from {}", i), [&] {
      std::vector<double> row(K, kInfinite);
      for (std::size_t j = i + 1; j < K; ++j) row[j] = step_error(nodes[i], nodes[j]);
      return row;
    }));
  return out;
}

double ConvergedImages::step_error(std::size_t from, std::size_t to) const {
  const TimeGrid pair = grid_of(*task_.schedule, {levels_[from], levels_[to]});
  if (pair.t.empty()) return kInfinite;
  const double s = task_.schedule->scale(pair.t[0]), s_next = task_.schedule->scale(pair.t[1]);
  return rms(images_.size(), [&](std::size_t b) {
    StopRequest::check();
    ForbiddenNoise none(kNoNoise);
    const Tensor x = task_.stepper(images_[b].denoiser, *task_.schedule, pair, s * states_[b][from], none);
    return x / s_next - states_[b][to];
  });
}

}  // namespace edmund
