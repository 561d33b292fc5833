#include "edmund/app/curvature.h"

#include "edmund/core/consecutive.h"
#include "edmund/diffusion/noise_source.h"
#include "support/catch.h"

#include <algorithm>
#include <cmath>

using namespace edmund;

namespace {

ClockedGrid clocked(const char* schedule, const char* grid, Interval sigmas) {
  Options clock = Options::read_text(schedule, "schedule"), times = Options::read_text(grid, "grid");
  ClockedGrid out{.name = schedule, .schedule = make_schedule(clock)};
  out.grid = make_grid(times, *out.schedule, sigmas);
  return out;
}

std::vector<double> uniform_levels(Interval sigmas, int count) {
  std::vector<double> out;
  for (int i = 0; i < count; ++i) out.push_back(sigmas.high * std::pow(sigmas.low / sigmas.high, i / (count - 1.0)));
  out.back() = sigmas.low;
  return out;
}

}  // namespace

TEST_CASE("local errors of Euler steps are those of the closed form on Gaussian data", "[app]") {
  // x0 ~ N(0, 1): D = z/(1 + σ²), so that the solution is z ∝ √(1 + σ²); in the scale 1/√(1 + σ²)
  // it does not move at all.
  const Interval sigmas{0.01, 20.0};
  const Denoiser D = [](const Tensor& z, double sigma) { return z / (1 + sigma * sigma); };
  const Tensor noise = PhiloxNoise(1, consecutive(0, 4), at::kDouble, at::kCPU).normal({1, 8, 8});
  const std::vector<ClockedGrid> grids{
      clocked("{type: edm}", "{type: karras, steps: 12}", sigmas),
      clocked("{type: edm, scale: variance_preserving}", "{type: karras, steps: 12}", sigmas)};
  const auto found = step_errors(D, noise, uniform_levels(sigmas, 400), grids);
  REQUIRE(found.size() == 2);
  REQUIRE(found[0].sigma.size() == 12);
  REQUIRE(found[0].error.size() == 11);
  const double size = sigmas.high * noise.square().mean().sqrt().item<double>() / std::hypot(1.0, sigmas.high);
  for (std::size_t i = 0; i < 11; ++i) {
    const double s = found[0].sigma[i], next = found[0].sigma[i + 1], here = size * std::hypot(1.0, s);
    const double stepped = here * (1 + (next - s) * s / (1 + s * s)), truth = size * std::hypot(1.0, next);
    INFO("σ " << s << " to " << next);
    // The solution itself is of second order: 400 levels leave (7.6/400)² of its size.
    CHECK_THAT(found[0].error[i], Catch::Matchers::WithinAbs(std::abs(stepped - truth), 4e-4 * truth));
    CHECK(found[1].error[i] < 1e-3 * truth);
  }
  // At σ = 20 the solution is nearly straight, it bends around σ = 1.
  const auto most = std::max_element(found[0].error.begin(), found[0].error.end());
  CHECK(*most > 0.02);
  CHECK(*most > 5 * found[0].error.front());
  CHECK(*most > 5 * found[0].error.back());
}
