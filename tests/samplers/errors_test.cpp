#include "edmund/core/error.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "samplers/gaussian.h"
#include "samplers/noise.h"
#include "support/catch.h"

#include <ATen/ops/ones.h>

namespace edmund::testing {
namespace {

template <typename Action>
std::string message(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("wrong options of samplers are named", "[samplers]") {
  for (const auto& [yaml, part] : {std::pair{"{type: huen}", "heun"},
                                   std::pair{"{type: heun, alpha: 0}", "alpha"},
                                   std::pair{"{S_churn: -1}", "S_churn"},
                                   std::pair{"{type: ddim, eta: 2}", "eta"},
                                   std::pair{"{type: ddim, clip: [1]}", "clip"},
                                   std::pair{"{type: ddim, clip: [1, -1]}", "clip"},
                                   std::pair{"{type: ancestral, variance: learned}", "posterior"},
                                   std::pair{"{type: reverse_sde, lambda: -1}", "lambda"},
                                   std::pair{"{final: heun}", "denoise"},
                                   std::pair{"{type: euler, eta: 1}", "eta"},
                                   std::pair{"{type: dpm_2, order: 3}", "order"},
                                   std::pair{"{type: dpm_solver, order: 4}", "order"},
                                   std::pair{"{type: dpm_solver, ending: [0]}", "ending"},
                                   std::pair{"{type: dpmpp_2s, r: 0}", "r:"},
                                   std::pair{"{type: dpmpp_2s, draws: brownian}", "draws"},
                                   std::pair{"{type: dpmpp_2m, variant: euler}", "midpoint"},
                                   std::pair{"{type: dpmpp_3m, order: 2}", "order"},
                                   std::pair{"{type: dpmpp_2m_sde, warm_up: runge_kutta}", "eta: 0"},
                                   std::pair{"{type: lms, order: 5}", "order"},
                                   std::pair{"{type: lms, to_zero: true, final: none}", "final"},
                                   std::pair{"{type: rk45, atol: 0}", "atol"},
                                   std::pair{"{type: dpm_adaptive, error: pixel}", "batch"}}) {
    const std::string text = yaml;
    const std::string found = message([&] { made(make_sampler, text); });
    INFO(yaml << ": " << found);
    CHECK(found.find(part) != std::string::npos);
  }
}

TEST_CASE("the euler final step needs a clean time", "[samplers]") {
  for (const char* yaml : {"{type: ddpm}", "{type: ve}"}) {
    const auto schedule = schedule_of(yaml);
    NoNoise noise;
    const auto run = [&] {
      made(make_sampler, "{type: euler, final: euler}")(Gaussian{}.denoiser(), *schedule, {{schedule->time(1.0)}},
                                                        at::ones({1, 1, 1, 1}, at::kDouble), noise);
    };
    CHECK(message(run).find("final: denoise") != std::string::npos);
  }
}

TEST_CASE("velocity outside the schedule is an error", "[samplers]") {
  const auto schedule = schedule_of("{type: flow}");
  for (const double t : {0.0, 1.0, -0.5, 2.0}) {
    CHECK(message([&] {
            velocity(Gaussian{}.denoiser(), *schedule, at::ones({1, 1, 1, 1}, at::kDouble), t);
          }).find("outside") != std::string::npos);
  }
}

}  // namespace edmund::testing
