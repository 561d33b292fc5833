// Optimized grids on a mixture, whose denoiser is exact: no training, no network.
#include "edmund/studies/grid_search.h"

#include "edmund/core/consecutive.h"
#include "edmund/core/error.h"
#include "edmund/diffusion/gaussian_mixture.h"
#include "schedules/cases.h"
#include "support/catch.h"

#include <algorithm>
#include <ATen/Functions.h>

namespace edmund::testing {
namespace {

// Sixteen pixels, five narrow components: trajectories that have to decide between them.
GaussianMixture faces() {
  PhiloxNoise noise(3, consecutive(0, 5), at::kDouble, at::kCPU);
  return {.means = 0.6 * noise.normal({16}),
          .stds = at::full({5}, 0.15, at::kDouble),
          .weights = at::full({5}, 0.2, at::kDouble)};
}

GridTask task(const std::string& sampler, const std::string& path, Interval sigmas = {0.01, 80}) {
  return {.schedule = schedule_of(path),
          .sampler = made(make_sampler, "{" + sampler + "}"),
          .stepper = made(make_sampler, "{" + sampler + ", final: none}"),
          .sigmas = sigmas};
}

ConvergedImages images(const GridTask& task, std::int64_t first, std::int64_t count) {
  PhiloxNoise noise(0, consecutive(first, count), at::kDouble, at::kCPU);
  return {task, {{faces().denoiser(), noise.normal({1, 4, 4})}}};
}

}  // namespace

TEST_CASE("an optimized grid beats the best standard grid on other images", "[app][slow]") {
  struct Case {
    const char* sampler;
    const char* path;
    std::int64_t steps, evaluations;
  };
  for (const auto& [sampler, path, steps, evaluations] :
       {Case{"type: euler", "{type: edm}", 5, 5}, Case{"type: euler", "{type: edm}", 8, 8},
        Case{"type: euler", "{type: edm}", 12, 12}, Case{"type: euler", "{type: vp}", 8, 8},
        Case{"type: ddim", "{type: flow}", 8, 8}, Case{"type: heun", "{type: edm}", 3, 5},
        Case{"type: heun", "{type: edm}", 6, 11}, Case{"type: heun", "{type: ddpm}", 4, 7}}) {
    INFO(sampler << " on " << path << ", " << steps << " steps");
    const GridTask each = task(sampler, path, {0.02, 80});
    const ConvergedImages search = images(each, 0, 128), held_out = images(each, 128, 512);
    const auto standard = standard_grids(*each.schedule, each.sigmas, steps);
    double best = 1e300, best_start = 1e300;
    std::vector<double> start;
    for (const auto& grid : standard) {
      best = std::min(best, held_out.distance(grid.sigmas).value);
      if (const double value = search.distance(grid.sigmas).value; value < best_start) {
        best_start = value;
        start = grid.sigmas;
      }
    }
    FoundGrid found = refined_grid(search, search.least_local_errors(steps), 20);
    if (FoundGrid other = refined_grid(search, start, 20); other.distance < found.distance) found = other;
    const GridDistance optimized = held_out.distance(found.sigmas);
    INFO("optimized " << optimized.value << " ± " << optimized.standard_error << ", best standard " << best
                      << ", search " << found.start << " -> " << found.distance << ", reference known to "
                      << held_out.uncertainty());
    CHECK(optimized.evaluations == evaluations);
    CHECK(held_out.uncertainty() < 0.05 * optimized.value);
    CHECK(optimized.value < best);
    CHECK(found.distance < best_start);
  }
}

TEST_CASE("the converged images are where a sampler with many steps arrives", "[app]") {
  const GridTask heun = task("type: heun", "{type: vp}", {0.02, 80});
  const ConvergedImages few = images(heun, 0, 8);
  std::vector<double> sigmas;
  for (const auto& grid : standard_grids(*heun.schedule, heun.sigmas, 400))
    if (grid.name == "karras, rho: 7, sigma_min: 0.02") sigmas = grid.sigmas;
  REQUIRE(sigmas.size() == 400);
  // both of order 2, ours with a fourth of the error there
  CHECK(few.distance(sigmas).value < 3 * few.uncertainty());
  CHECK(few.uncertainty() < 1e-3);
}

TEST_CASE("dynamic programming finds the grid of least local errors among all", "[app]") {
  // With so few candidates every grid can be tried: 3 of 7 levels.
  const GridTask euler = task("type: euler", "{type: edm}", {0.02, 20});
  const ConvergedImages few = images(euler, 0, 32);
  const auto chosen = few.least_local_errors(3, 6);
  REQUIRE(chosen.size() == 3);
  CHECK(chosen[0] > chosen[1]);
  CHECK(chosen[1] > chosen[2]);
  const auto all = few.least_local_errors(7, 6);
  REQUIRE(all.size() == 7);
  std::vector<double> distances;
  const double ours = few.distance(chosen).value;
  for (std::size_t i = 0; i < 7; ++i)
    for (std::size_t j = i + 1; j < 7; ++j)
      for (std::size_t k = j + 1; k < 7; ++k) distances.push_back(few.distance({all[i], all[j], all[k]}).value);
  std::sort(distances.begin(), distances.end());
  CHECK(ours <= distances[distances.size() / 5]);  // local errors add up to the true one roughly
}

TEST_CASE("a grid that is none is infinitely far, and a sampler that draws is refused", "[app]") {
  const ConvergedImages few = images(task("type: euler", "{type: edm}"), 0, 4);
  CHECK(few.distance({1, 2}).value > 1e300);
  CHECK(few.distance({1, 1}).value > 1e300);
  const ConvergedImages drawing = images(task("type: ancestral", "{type: edm}"), 0, 4);
  CHECK_THROWS_AS(drawing.distance({10, 1, 0.1}), Error);
}

}  // namespace edmund::testing
