// Order of convergence on data of two peaks, where the solution of the ODE is known.
#include "edmund/samplers/sampler.h"
#include "samplers/cases.h"
#include "samplers/gaussian.h"
#include "samplers/noise.h"
#include "samplers/orders.h"
#include "samplers/peaks.h"
#include "support/catch.h"
#include "support/kernels.h"

#include <algorithm>
#include <ATen/ops/tensor.h>

namespace edmund::testing {
using Catch::Matchers::WithinAbs;

namespace {

constexpr double kShares[] = {0.04, 0.15, 0.3, 0.5, 0.7, 0.86, 0.97};

// Error in z of `sampler` on the grid, root mean square over images that start at these quantiles:
// where the error of one changes its sign, that of the others does not.
double error(const Peaks& data, const Sampler& sampler, const NoiseSchedule& schedule, const TimeGrid& grid) {
  const double t = grid.t.front(), u = grid.t.back();
  const auto quantiles = [&](double sigma) {
    std::vector<double> z;
    for (const double share : kShares) z.push_back(data.quantile(share, sigma));
    return at::tensor(z).view({-1, 1, 1, 1});
  };
  NoNoise noise;
  const Tensor x = sampler(data.denoiser(), schedule, grid, schedule.scale(t) * quantiles(schedule.sigma(t)), noise);
  return (x / schedule.scale(u) - quantiles(schedule.sigma(u))).square().mean().sqrt().item<double>();
}

// log2 of how much the error falls when the steps are doubled. Higher orders show only with more
// steps.
double order(const Sampler& sampler, const NoiseSchedule& schedule, double expected) {
  if (schedule.levels().empty()) {
    const int N = expected > 2 ? 256 : 128;
    return std::log2(error({}, sampler, schedule, smooth_grid(schedule, N)) /
                     error({}, sampler, schedule, smooth_grid(schedule, 2 * N)));
  }
  // The slope of a table jumps at its entries: the order is that inside one interval. Data as wide
  // as the noise there, so that the trajectory bends.
  const auto inside = [](int N) {
    TimeGrid grid;
    for (int i = 0; i <= N; ++i) grid.t.push_back(2.0 - static_cast<double>(i) / N);
    grid.t.back() += 1e-9;  // the entry itself has the slope of the interval below it
    return grid;
  };
  const Peaks data{.unit = schedule.sigma(1.5)};
  return std::log2(error(data, sampler, schedule, inside(64)) / error(data, sampler, schedule, inside(128)));
}

}  // namespace

TEST_CASE("every sampler of the table states its error, and those with an order have it on every schedule",
          "[samplers]") {
  const UseKernels fast(ops::Kernels::kFast);  // as in use, and several times as fast here
  for (const auto& yaml : schedule_cases()) {
    const auto schedule = schedule_of(yaml);
    for (const auto& row : sampler_table()) {
      INFO(row.name << " on " << yaml << ": " << stated_order(row.order, row.with));
      CHECK(row.order != 0);
      if (row.order > 0)
        CHECK_THAT(order(made(make_sampler, stated(row)), *schedule, row.order), WithinAbs(row.order, 0.15));
    }
  }
}

TEST_CASE("options that change the order of a sampler do so on every schedule", "[samplers]") {
  const UseKernels fast(ops::Kernels::kFast);  // as in use, and several times as fast here
  // Of samplers whose row states an order only on one of each type of schedule.
  const auto ordered = [](std::string_view sampler) {
    const auto rows = sampler_table();
    return std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
      return row.order > 0 && sampler.starts_with(format("{type: {},", row.name));
    });
  };
  for (const auto& yaml : schedule_cases()) {
    const auto schedule = schedule_of(yaml);
    const bool all = yaml.find("scale: own") != std::string::npos;
    for (const auto& [sampler, expected] : kVariants) {
      if (!all && ordered(sampler)) continue;
      INFO(sampler << " on " << yaml);
      CHECK_THAT(order(made(make_sampler, sampler), *schedule, expected), WithinAbs(expected, 0.15));
    }
  }
}

TEST_CASE("samplers that choose their own steps end near the solution, on every schedule", "[samplers]") {
  for (const auto& entry : schedule_table()) {
    const auto schedule = schedule_of("{type: " + example_of(entry) + "}");
    for (const auto& row : sampler_table()) {
      if (row.order != SamplerEntry::kTolerance) continue;
      INFO(row.name << " on " << entry.name);
      // A few steps, each off by its tolerance of 1e-4 at most while the ODE contracts.
      CHECK(error({}, made(make_sampler, stated(row)), *schedule, smooth_grid(*schedule, 1)) < 1e-3);
    }
  }
}

TEST_CASE("ipndm converges at its order on equal steps in sigma", "[samplers]") {
  const auto schedule = schedule_of("{type: edm}");
  const auto equal = [&](int N) {
    TimeGrid grid;
    for (int i = 0; i <= N; ++i) grid.t.push_back(schedule->time(std::lerp(40.0, 1.0, static_cast<double>(i) / N)));
    return grid;
  };
  for (const int k : {1, 2, 3, 4}) {
    const Sampler sampler =
        made(make_sampler, "{type: ipndm, final: none, warm_up: runge_kutta, order: " + std::to_string(k) + "}");
    INFO("ipndm " << k);
    CHECK_THAT(std::log2(error({}, sampler, *schedule, equal(2048)) / error({}, sampler, *schedule, equal(4096))),
               WithinAbs(k, 0.15));
  }
}

// The published start is one Euler step: its error is of order 2 and in the end the greatest one,
// however high the order of the method. Its size is small beside that of order 3 for a usual number
// of steps from a high σ, so that it shows from a σ where the trajectory bends.
TEST_CASE("multistep methods of order 3 and more fall to order 2 with their published start", "[samplers]") {
  const auto schedule = schedule_of("{type: edm}");
  const auto slope = [&](std::string_view sampler) {
    const auto found = [&](int N) {
      TimeGrid grid;
      for (int i = 0; i <= N; ++i) grid.t.push_back(std::pow(4.0, 0.5 - static_cast<double>(i) / N));
      return error({}, made(make_sampler, sampler), *schedule, grid);
    };
    return std::log2(found(512) / found(1024));
  };
  CHECK_THAT(slope("{type: dpmpp_3m, variant: exact, final: none}"), WithinAbs(2, 0.15));
  CHECK_THAT(slope("{type: lms, final: none}"), WithinAbs(2, 0.15));
  CHECK_THAT(slope("{type: dpmpp_3m, variant: exact, warm_up: runge_kutta, final: none}"), WithinAbs(3, 0.15));
  CHECK_THAT(slope("{type: lms, warm_up: runge_kutta, final: none}"), WithinAbs(4, 0.15));
}

}  // namespace edmund::testing
