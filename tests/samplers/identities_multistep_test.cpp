// Multistep and predictor-corrector samplers that are the same by mathematics, and what every
// sampler of the table keeps to.
#include "edmund/core/error.h"
#include "edmund/diffusion/noise_source.h"
#include "edmund/samplers/sampler.h"
#include "samplers/gaussian.h"
#include "samplers/noise.h"
#include "samplers/same.h"
#include "support/catch.h"

#include <ATen/Functions.h>
#include <numeric>

namespace edmund::testing {
namespace {

Tensor sampled(std::string_view sampler, const NoiseSchedule& schedule, const TimeGrid& grid, std::int64_t first,
               std::int64_t count, at::ScalarType dtype = at::kDouble, Denoiser D = peaks) {
  std::vector<std::int64_t> which(static_cast<std::size_t>(count));
  std::iota(which.begin(), which.end(), first);
  PhiloxNoise noise(5, std::move(which), dtype, at::kCPU);
  const Tensor x = initial_state(schedule, grid, noise, {2, 3, 3});
  return made(make_sampler, sampler)(D, schedule, grid, x, noise);
}

}  // namespace

TEST_CASE("wrong options of multistep and predictor-corrector samplers are named", "[samplers]") {
  const auto message = [](const auto& action) -> std::string {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  for (const auto& [yaml, part] :
       {std::pair{"{type: dpm_solver_multistep, order: 4}", "order"},
        std::pair{"{type: dpm_solver_multistep, variant: exakt}", "exact"},
        std::pair{"{type: dpm_solver_multistep, lower_order_final: true}", "diffusers"},
        std::pair{"{type: unipc, b: bh3}", "bh2"}, std::pair{"{type: deis, degree: 4}", "degree"},
        std::pair{"{type: ipndm, order: 0}", "order"}, std::pair{"{type: predictor_corrector, snr: -1}", "snr"},
        std::pair{"{type: predictor_corrector, predictor: ancestral_sampling}", "ancestral"},
        std::pair{"{type: ddim, renoise: true, eta: 1}", "renoise"}}) {
    INFO(yaml);
    const std::string text = yaml;
    CHECK(message([&] { made(make_sampler, text); }).find(part) != std::string::npos);
  }
  const auto ve = schedule_of("{type: ve}");
  NoNoise noise;
  CHECK(message([&] {
          made(make_sampler,
               "{type: predictor_corrector, predictor: euler_maruyama, corrector: none, final: predictor}")(
              peaks, *ve, {{0.5}}, at::ones({1, 1, 1, 1}, at::kDouble), noise);
        }).find("final: denoise") != std::string::npos);
}

TEST_CASE("multistep samplers of order 1 are ddim, on every schedule", "[samplers]") {
  for (const auto& yaml : wide_schedules()) {
    const auto schedule = schedule_of(yaml);
    const Tensor expected = sampled("{type: ddim}", *schedule, on(*schedule), 0, 4);
    for (const char* sampler :
         {"{type: dpm_solver_multistep, order: 1}", "{type: dpm_solver_multistep, order: 1, algorithm: plain}",
          "{type: unipc, order: 1, corrector: false}",
          "{type: unipc, order: 1, corrector: false, predict: eps, b: bh1}", "{type: deis, degree: 0}",
          "{type: ipndm, order: 1}"}) {
      INFO(sampler << " on " << yaml);
      check_close(sampled(sampler, *schedule, on(*schedule), 0, 4), expected, 1e-9);
    }
  }
}

TEST_CASE("what depends on sigma only is one sampler on every schedule", "[samplers]") {
  const auto edm = schedule_of("{type: edm}");
  for (const char* sampler :
       {"{type: dpm_solver_multistep, order: 3}", "{type: dpm_solver_multistep, eta: 1}", "{type: unipc}",
        "{type: ipndm}", "{type: deis, polynomial: log_sigma}", "{type: deis, polynomial: sigma}"}) {
    const Tensor expected = sampled(sampler, *edm, on(*edm), 0, 4);
    for (const auto& yaml : wide_schedules()) {
      INFO(sampler << " on " << yaml);
      const auto schedule = schedule_of(yaml);
      check_close(sampled(sampler, *schedule, on(*schedule), 0, 4), expected, 1e-8);
    }
  }
}

TEST_CASE("deis in ln sigma is DPM-Solver, and on equal steps in sigma it is ipndm", "[samplers]") {
  const auto edm = schedule_of("{type: edm}");
  const std::string deis = "{type: deis, polynomial: ";
  for (const auto& [degree, solver] : {std::pair{"1", "2, variant: heun}"}, std::pair{"2", "3, variant: exact}"}})
    check_close(sampled(deis + "log_sigma, degree: " + degree + "}", *edm, on(*edm), 0, 4),
                sampled("{type: dpm_solver_multistep, algorithm: plain, lower_order_final: never, order: " +
                            std::string(solver),
                        *edm, on(*edm), 0, 4),
                1e-11);
  const TimeGrid equal = on(*edm, "[8, 7, 6, 5, 4, 3, 2, 1]");
  check_close(sampled(deis + "t}", *edm, equal, 0, 4), sampled("{type: ipndm}", *edm, equal, 0, 4), 1e-12);
  check_close(sampled(deis + "t}", *edm, on(*edm), 0, 4), sampled(deis + "sigma}", *edm, on(*edm), 0, 4), 1e-11);
}

TEST_CASE("deis integrates noise that is a polynomial in t exactly", "[samplers]") {
  // σ = √t: ε = t^k gives z(u) = z(t) + ∫ σ^(2k) dσ. The third step is the first with a past of 3.
  const auto schedule = schedule_of("{type: ve, clock: sqrt}");
  const TimeGrid grid = on(*schedule, "[9, 8, 6.5, 4, 2.5]");
  for (int k = 0; k <= 3; ++k) {
    const Denoiser D = [&](const Tensor& z, double sigma) { return z - sigma * std::pow(sigma, 2 * k); };
    const auto trace = std::make_shared<std::vector<Evaluation>>();
    const Tensor end = sampled("{type: deis, final: none}", *schedule, grid, 0, 1, at::kDouble, recorded(D, trace));
    const double power = 2 * k + 1, exact = (std::pow(2.5, power) - std::pow(4.0, power)) / power;
    check_close(end - trace->back().z, at::full_like(end, exact), 1e-11);
  }
}

TEST_CASE("predictors alone are reverse_sde and ancestral, and the SDE form of order 1 is the posterior",
          "[samplers]") {
  for (const auto& yaml : wide_schedules()) {
    INFO(yaml);
    const auto schedule = schedule_of(yaml);
    const auto alone = [&](const std::string& predictor) {
      return sampled("{type: predictor_corrector, corrector: none, predictor: " + predictor + "}", *schedule,
                     on(*schedule), 0, 4);
    };
    CHECK(at::equal(alone("euler_maruyama"), sampled("{type: reverse_sde}", *schedule, on(*schedule), 0, 4)));
    CHECK(at::equal(alone("euler_maruyama, probability_flow: true"),
                    sampled("{type: euler}", *schedule, on(*schedule), 0, 4)));
    CHECK(at::equal(alone("ancestral"), sampled("{type: ancestral}", *schedule, on(*schedule), 0, 4)));
    CHECK(at::equal(alone("ancestral, variance: beta"),
                    sampled("{type: ancestral, variance: beta}", *schedule, on(*schedule), 0, 4)));
    check_close(sampled("{type: dpm_solver_multistep, order: 1, eta: 1}", *schedule, on(*schedule), 0, 4),
                sampled("{type: ddim, eta: 1}", *schedule, on(*schedule), 0, 4), 1e-9);
  }
}

TEST_CASE("the order falls at the end as the named source has it", "[samplers]") {
  const auto schedule = schedule_of("{type: edm}");
  const auto falling = [](int N) {
    TimeGrid grid;
    for (int i = 0; i < N; ++i) grid.t.push_back(40 * std::pow(0.7, i));
    return grid;
  };
  const auto same = [&](const std::string& a, const std::string& b, const std::string& final, int N) {
    const auto run = [&](const std::string& lower) {
      // The state before D at the last time, where there is one.
      const auto trace = std::make_shared<std::vector<Evaluation>>();
      const Tensor end =
          sampled("{type: dpm_solver_multistep, order: 3, lower_order_final: " + lower + ", final: " + final + "}",
                  *schedule, falling(N), 0, 2, at::kDouble, recorded(peaks, trace));
      return final == "none" ? end : trace->back().z;
    };
    return at::equal(run(a), run(b));
  };
  CHECK_FALSE(same("always", "never", "none", 8));
  CHECK_FALSE(same("always", "last", "none", 8));
  CHECK(same("diffusers", "always", "none", 15));  // 14 steps
  CHECK(same("diffusers", "never", "none", 16));   // 15
  CHECK(same("diffusers", "always", "denoise", 14));
  CHECK(same("diffusers", "never", "denoise", 15));
  CHECK(same("authors", "always", "none", 10));  // 9 steps
  CHECK(same("authors", "never", "none", 11));
  CHECK_FALSE(same("authors", "always", "denoise", 8));  // the authors do not count the step to 0
  CHECK(same("last", "never", "denoise", 8));            // which is the last one
  // Order 1 is ddim's step.
  const TimeGrid grid = falling(8);
  const Tensor before = sampled("{type: dpm_solver_multistep, order: 3, lower_order_final: never, final: none}",
                                *schedule, {{grid.t.begin(), grid.t.end() - 1}}, 0, 2);
  NoNoise noise;
  check_close(
      sampled("{type: dpm_solver_multistep, order: 3, lower_order_final: last, final: none}", *schedule, grid, 0, 2),
      made(make_sampler, "{type: ddim, final: none}")(peaks, *schedule, {{grid.t[6], grid.t[7]}}, before, noise),
      1e-12);
}

TEST_CASE("norms of the batch tie images together, norms of images do not", "[samplers]") {
  const auto schedule = schedule_of("{type: vp}");
  const std::string sampler = "{type: predictor_corrector, norms: batch}";
  CHECK_FALSE(at::equal(sampled(sampler, *schedule, on(*schedule), 0, 2)[0],
                        sampled(sampler, *schedule, on(*schedule), 0, 1)[0]));
  CHECK(at::equal(sampled(sampler, *schedule, on(*schedule), 0, 1),
                  sampled("{type: predictor_corrector}", *schedule, on(*schedule), 0, 1)));
}

TEST_CASE("multistep samplers evaluate the denoiser once a grid time", "[samplers]") {
  const auto schedule = schedule_of("{type: edm}");
  for (const auto& [sampler, expected] :
       {std::pair{"{type: dpm_solver_multistep, order: 3}", 8}, std::pair{"{type: unipc}", 8},
        std::pair{"{type: deis}", 8}, std::pair{"{type: ipndm}", 8}, std::pair{"{type: unipc, final: none}", 7},
        std::pair{"{type: predictor_corrector}", 16}, std::pair{"{type: predictor_corrector, corrector_steps: 3}", 32},
        std::pair{"{type: predictor_corrector, corrector: none, final: none}", 7}}) {
    const auto calls = std::make_shared<std::int64_t>(0);
    sampled(sampler, *schedule, on(*schedule), 0, 1, at::kDouble, counted(peaks, calls));
    INFO(sampler);
    CHECK(*calls == expected);
  }
}

}  // namespace edmund::testing
