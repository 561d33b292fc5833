// Order of convergence of the multistep samplers on Gaussian data, where the solution of the ODE is known.
//
// A multistep method begins with steps of lower order, whose error would hide its own: order p needs a start with error O(h^p). So the grids
// here begin with a step of size h², which doubles until it is h. Fixed coefficients (ipndm) cannot follow such a grid: they are measured on
// equal steps in σ from so high that the trajectory is straight, where the first steps cost nothing.
#include "edmund/samplers/sampler.h"
#include "samplers/gaussian.h"
#include "samplers/noise.h"
#include "support/catch.h"

#include <ATen/ops/full.h>

namespace edmund::testing {
using Catch::Matchers::WithinAbs;

namespace {

// Largest error in z on the way, in standard deviations of z; the start is 1.3 of them from the mean. (At one point it may pass through 0.)
double error(const Gaussian& data, const Sampler& sampler, const NoiseSchedule& path, const TimeGrid& grid) {
  const double t = grid.t.front(), sigma = path.sigma(t);
  const double start = data.mean + 1.3 * std::sqrt(data.variance(sigma));
  const auto trace = std::make_shared<std::vector<Evaluation>>();
  NoNoise noise;
  const Tensor x = sampler(recorded(data.denoiser(), trace), path, grid,
                           at::full({1, 1, 1, 1}, path.scale(t) * start, at::kDouble), noise);
  trace->push_back({x / path.scale(grid.t.back()), path.sigma(grid.t.back()), x});
  double largest = 0.0;
  for (const auto& [z, at, D] : *trace)
    largest = std::max(largest,
                       std::abs(z.item<double>() - data.transported(start, sigma, at)) / std::sqrt(data.variance(at)));
  return largest;
}

// Fractions 0 … 1 of a way of N equal steps, the first of them replaced by steps that double from a tenth of 1/N of it.
std::vector<double> with_fine_start(int N) {
  std::vector<double> out{0.0};
  for (double step = 0.1 / N; out.back() + step < 1.0; step = std::min(2 * step, 1.0)) out.push_back(out.back() + step);
  for (double& at : out) at /= N;
  for (int i = 1; i <= N; ++i) out.push_back(static_cast<double>(i) / N);
  return out;
}

// The grid in ln σ over the part of [0.05, 20] that the schedule spans; inside one interval of a table if `inside` (see order.cpp).
TimeGrid graded(const NoiseSchedule& path, int N, bool inside) {
  TimeGrid grid;
  if (inside) {
    for (const double f : with_fine_start(N)) grid.t.push_back(2.0 - f);
    grid.t.back() += 1e-9;
    return grid;
  }
  const double high = std::min(path.sigmas().high, 20.0), low = std::max(path.sigmas().low, 0.05);
  for (const double f : with_fine_start(N))
    grid.t.push_back(path.time(std::clamp(high * std::pow(low / high, f), low, high)));
  return grid;
}

// log2 of how much the error falls when the steps are halved.
double order(const Sampler& sampler, const NoiseSchedule& path, bool uses_time) {
  const bool inside = uses_time && !path.levels().empty();
  const Gaussian data{.std = inside ? path.sigma(1.5) : 0.5};
  const int N = inside ? 64 : uses_time ? 256 : 128;
  return std::log2(error(data, sampler, path, graded(path, N, inside)) /
                   error(data, sampler, path, graded(path, 2 * N, inside)));
}

struct Case {
  std::string sampler;
  double expected;
  bool uses_time = false;  // t, ds/dt or dσ/dt: not only s and σ at the grid times
};

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const std::string algorithm : {"plusplus", "plain"}) {
    const std::string begin =
        "{type: dpm_solver_multistep, final: none, lower_order_final: never, algorithm: " + algorithm;
    out.push_back({begin + ", order: 1}", 1.0});
    for (const std::string variant : {"midpoint", "heun", "exact"}) {
      out.push_back({begin + ", order: 2, variant: " + variant + "}", 2.0});
      // The authors' third order has half of the quadratic term that the integral has.
      out.push_back({begin + ", order: 3, variant: " + variant + "}", variant == "exact" ? 3.0 : 2.0});
    }
  }
  for (const std::string b : {"bh1", "bh2"})
    for (const std::string predict : {"x0", "eps"})
      for (const int order : {1, 2, 3})
        for (const bool corrector : {false, true})
          out.push_back({"{type: unipc, final: none, lower_order_final: never, b: " + b + ", predict: " + predict +
                             ", order: " + std::to_string(order) + ", corrector: " + (corrector ? "true}" : "false}"),
                         order + (corrector ? 1.0 : 0.0)});
  for (const std::string polynomial : {"t", "sigma", "log_sigma"})
    for (const int degree : {0, 1, 2, 3})
      out.push_back(
          {"{type: deis, final: none, polynomial: " + polynomial + ", degree: " + std::to_string(degree) + "}",
           degree + 1.0, polynomial == "t"});
  for (const std::string predictor : {"euler_maruyama", "reverse_diffusion"})
    out.push_back({"{type: predictor_corrector, final: none, corrector: none, probability_flow: true, predictor: " +
                       predictor + "}",
                   1.0, predictor == "euler_maruyama"});
  return out;
}

}  // namespace

TEST_CASE("multistep samplers converge at their order on every schedule", "[samplers]") {
  const std::vector<Case> defaults{
      {"{type: dpm_solver_multistep, final: none, lower_order_final: never}", 2.0},
      {"{type: unipc, final: none, lower_order_final: never}", 4.0},
      {"{type: deis, final: none}", 4.0, true},
      {"{type: predictor_corrector, final: none, corrector: none, probability_flow: true}", 1.0}};
  const std::vector<Case> all = cases();
  for (const auto& yaml : schedule_cases()) {
    const auto path = schedule(yaml);
    // Every option on every type of schedule, the defaults on every variant.
    for (const auto& [sampler, expected, uses_time] : yaml.find("scale: own") != std::string::npos ? all : defaults) {
      INFO(sampler << " on " << yaml);
      CHECK_THAT(order(made(make_sampler, sampler), *path, uses_time), WithinAbs(expected, 0.15));
    }
  }
}

TEST_CASE("ipndm converges at its order on equal steps in sigma, and at most at order 2 elsewhere", "[samplers]") {
  int wide = 0;
  for (const auto& entry : schedule_table()) {
    const auto path = schedule("{type: " + std::string(entry.name) + "}");
    for (const int k : {1, 2, 3, 4}) {
      const Sampler sampler = made(make_sampler, "{type: ipndm, final: none, order: " + std::to_string(k) + "}");
      INFO("ipndm " << k << " on " << entry.name);
      const double elsewhere = std::log2(error({}, sampler, *path, smooth_grid(*path, 256)) /
                                         error({}, sampler, *path, smooth_grid(*path, 512)));
      CHECK_THAT(elsewhere, WithinAbs(std::min(k, 2), 0.15));
      if (path->sigmas().low > 0.05 || path->sigmas().high < 40) continue;
      ++wide;
      const auto equal = [&](int N) {
        TimeGrid grid;
        for (int i = 0; i <= N; ++i) grid.t.push_back(path->time(std::lerp(40.0, 0.05, static_cast<double>(i) / N)));
        return grid;
      };
      const Gaussian data{.std = 1.0};
      CHECK_THAT(std::log2(error(data, sampler, *path, equal(1024)) / error(data, sampler, *path, equal(2048))),
                 WithinAbs(k, 0.15));
    }
  }
  CHECK(wide >= 4 * 4);
}

}  // namespace edmund::testing
