// Samplers that are the same by mathematics, and what every sampler keeps to.
#include "edmund/diffusion/noise_source.h"
#include "edmund/samplers/posterior.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "samplers/cases.h"
#include "samplers/gaussian.h"
#include "samplers/noise.h"
#include "samplers/same.h"
#include "support/catch.h"

#include <ATen/Functions.h>
#include <numeric>

namespace edmund::testing {
using Catch::Matchers::WithinRel;

namespace {

std::vector<std::int64_t> images(std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(count));
  std::iota(out.begin(), out.end(), first);
  return out;
}

Tensor sampled(std::string_view sampler, const NoiseSchedule& schedule, const TimeGrid& grid,
               std::vector<std::int64_t> which, at::ScalarType dtype = at::kDouble,
               std::shared_ptr<std::vector<Evaluation>> trace = nullptr) {
  PhiloxNoise noise(5, std::move(which), dtype, at::kCPU);
  const Tensor x = initial_state(schedule, grid, noise, {2, 3, 3});
  return made(make_sampler, sampler)(trace ? recorded(peaks, trace) : Denoiser(peaks), schedule, grid, x, noise);
}

}  // namespace

TEST_CASE("Euler on flow is Euler on edm is DDIM(0), node for node", "[samplers]") {
  const auto edm = schedule_of("{type: edm}"), flow = schedule_of("{type: flow}");
  const auto a = std::make_shared<std::vector<Evaluation>>(), b = std::make_shared<std::vector<Evaluation>>();
  const Tensor on_edm = sampled("{type: euler, final: euler}", *edm, on(*edm), images(0, 4), at::kDouble, a);
  const Tensor on_flow = sampled("{type: euler, final: euler}", *flow, on(*flow), images(0, 4), at::kDouble, b);
  check_close(on_flow, on_edm, 1e-12);
  REQUIRE(a->size() == b->size());
  for (std::size_t i = 0; i < a->size(); ++i) check_close((*b)[i].z, (*a)[i].z, 1e-12);
  for (const auto& yaml : wide_schedules()) {
    INFO("ddim on " << yaml);
    const auto schedule = schedule_of(yaml);
    const auto c = std::make_shared<std::vector<Evaluation>>();
    check_close(sampled("{type: ddim}", *schedule, on(*schedule), images(0, 4), at::kDouble, c), on_edm, 1e-9);
    REQUIRE(c->size() == a->size());
    for (std::size_t i = 0; i < a->size(); ++i) check_close((*c)[i].z, (*a)[i].z, 1e-9);
  }
}

TEST_CASE("the two final steps are one on edm and flow, and differ elsewhere", "[samplers]") {
  for (const char* yaml : {"{type: edm}", "{type: flow}"}) {
    const auto schedule = schedule_of(yaml);
    check_close(sampled("{type: heun, final: euler}", *schedule, on(*schedule), images(0, 4)),
                sampled("{type: heun}", *schedule, on(*schedule), images(0, 4)), 1e-12);
  }
  const auto vp = schedule_of("{type: vp}");
  const Tensor denoised = sampled("{type: heun}", *vp, on(*vp), images(0, 4)),
               euler = sampled("{type: heun, final: euler}", *vp, on(*vp), images(0, 4));
  CHECK((denoised - euler).abs().max().item<double>() > 1e-6);
}

TEST_CASE("DDIM(1) is ancestral sampling with the posterior's variance on every schedule", "[samplers]") {
  for (const auto& yaml : wide_schedules()) {
    INFO(yaml);
    const auto schedule = schedule_of(yaml);
    check_close(sampled("{type: ddim, eta: 1}", *schedule, on(*schedule), images(0, 4)),
                sampled("{type: ancestral}", *schedule, on(*schedule), images(0, 4)), 1e-10);
  }
}

TEST_CASE("the reverse SDE at λ = 0 is Euler bit for bit on every schedule", "[samplers]") {
  for (const auto& yaml : wide_schedules()) {
    for (const auto dtype : {at::kDouble, at::kFloat}) {
      INFO(yaml);
      const auto schedule = schedule_of(yaml);
      const Tensor sde = sampled("{type: reverse_sde, lambda: 0}", *schedule, on(*schedule), images(0, 4), dtype);
      CHECK(at::equal(sde, sampled("{type: euler}", *schedule, on(*schedule), images(0, 4), dtype)));
      CHECK(sde.scalar_type() == dtype);
    }
  }
}

TEST_CASE("without noise a stochastic sampler is the ODE's, bit for bit, on every schedule", "[samplers]") {
  for (const auto& yaml : wide_schedules()) {
    for (const auto& [stochastic, ode] : {std::pair{"{type: euler_ancestral, eta: 0}", "{type: ddim}"},
                                          std::pair{"{type: dpm_2_ancestral, eta: 0}", "{type: dpm_2}"},
                                          std::pair{"{type: dpm_solver, order: 2, eta: 0}", "{type: dpm_2}"},
                                          std::pair{"{type: dpmpp_sde, eta: 0}", "{type: dpmpp_2s}"},
                                          std::pair{"{type: dpmpp_2m_sde, eta: 0}", "{type: dpmpp_2m}"},
                                          std::pair{"{type: dpmpp_3m_sde, eta: 0}", "{type: dpmpp_3m}"}}) {
      INFO(stochastic << " and " << ode << " on " << yaml);
      const auto schedule = schedule_of(yaml);
      CHECK(at::equal(sampled(stochastic, *schedule, on(*schedule), images(0, 4)),
                      sampled(ode, *schedule, on(*schedule), images(0, 4))));
    }
  }
}

TEST_CASE("samplers that are one by their formulas are one on every schedule", "[samplers]") {
  for (const auto& yaml : wide_schedules()) {
    const auto schedule = schedule_of(yaml);
    for (const auto& [a, b] :
         {std::pair{"{type: lms, order: 1}", "{type: ddim}"}, std::pair{"{type: dpm_solver, order: 1}", "{type: ddim}"},
          std::pair{"{type: dpm_solver, order: 1, eta: 0.6, floor: none}", "{type: ddim, eta: 0.6}"},
          std::pair{"{type: dpm_solver, ending: [1, 1, 1, 1, 1, 1, 1]}", "{type: ddim}"},
          std::pair{"{type: dpmpp_sde, eta: 0, r: 0.3}", "{type: dpmpp_2s, r: 0.3}"}}) {
      INFO(a << " and " << b << " on " << yaml);
      check_close(sampled(a, *schedule, on(*schedule), images(0, 4)),
                  sampled(b, *schedule, on(*schedule), images(0, 4)), 1e-10);
    }
  }
  // The exponential step of order 1 of the reverse SDE at η = 1 has the posterior's mean and
  // variance.
  const auto edm = schedule_of("{type: edm}");
  const TimeGrid one = on(*edm, "[7, 3]");
  check_close(sampled("{type: dpmpp_2m_sde, final: none}", *edm, one, images(0, 4)),
              sampled("{type: ddim, eta: 1, final: none}", *edm, one, images(0, 4)), 1e-12);
}

TEST_CASE("the order at the end of a multistep run is that of the steps left", "[samplers]") {
  const auto edm = schedule_of("{type: edm}");
  // Two grid steps: at the second, `always` allows order 1 if it is the last one, order 2 if that
  // to 0 follows.
  const TimeGrid grid = on(*edm, "[7, 3, 1]");
  const auto run = [&](std::string_view sampler) { return sampled(sampler, *edm, grid, images(0, 4)); };
  CHECK(at::equal(run("{type: lms, order: 2, lower_order_final: always}"), run("{type: lms, order: 2}")));
  CHECK_FALSE(at::equal(run("{type: lms, order: 2, final: none}"), run("{type: lms, order: 1, final: none}")));
  CHECK(at::equal(run("{type: lms, order: 2, lower_order_final: always, final: none}"),
                  run("{type: lms, order: 1, final: none}")));
  check_close(run("{type: dpmpp_2m, lower_order_final: always, final: none}"), run("{type: ddim, final: none}"), 1e-12);
}

TEST_CASE("an image is the same in any batch, with every sampler", "[samplers]") {
  const auto schedule = schedule_of("{type: vp}");
  for (const auto& sampler : sampler_cases()) {
    INFO(sampler);
    const Tensor together = sampled(sampler, *schedule, on(*schedule), images(10, 5));
    for (std::int64_t i = 0; i < 5; ++i)
      CHECK(at::equal(sampled(sampler, *schedule, on(*schedule), images(10 + i, 1))[0], together[i]));
  }
}

TEST_CASE("samplers keep the dtype of their state", "[samplers]") {
  const auto schedule = schedule_of("{type: flow}");
  for (const auto& sampler : sampler_cases()) {
    INFO(sampler);
    const Tensor single = sampled(sampler, *schedule, on(*schedule), images(0, 2), at::kFloat);
    CHECK(single.scalar_type() == at::kFloat);
    if (sampler.find("ddim") == std::string::npos) continue;
    check_close(single.to(at::kDouble), sampled(sampler, *schedule, on(*schedule), images(0, 2)), 1e-4);
  }
}

TEST_CASE("samplers evaluate the denoiser as often as they say", "[samplers]") {
  const auto schedule = schedule_of("{type: edm}");
  for (const auto& [sampler, expected] :
       {std::pair{"{type: heun}", 15}, std::pair{"{type: heun, final: none}", 14}, std::pair{"{type: euler}", 8},
        std::pair{"{type: ddim}", 8}, std::pair{"{type: ancestral, final: none}", 7},
        std::pair{"{type: reverse_sde}", 8}, std::pair{"{type: dpm_2}", 15}, std::pair{"{type: dpm_2_ancestral}", 15},
        std::pair{"{type: dpm_solver}", 22}, std::pair{"{type: dpm_solver, ending: [2, 1]}", 19},
        std::pair{"{type: dpmpp_2s}", 15}, std::pair{"{type: dpmpp_sde}", 15}, std::pair{"{type: dpmpp_2m}", 8},
        std::pair{"{type: dpmpp_3m}", 8}, std::pair{"{type: dpmpp_3m, warm_up: runge_kutta}", 14},
        std::pair{"{type: lms}", 8}, std::pair{"{type: lms, to_zero: true}", 8},
        std::pair{"{type: lms, warm_up: runge_kutta, final: none}", 16}}) {
    const auto trace = std::make_shared<std::vector<Evaluation>>();
    sampled(sampler, *schedule, on(*schedule), images(0, 1), at::kDouble, trace);
    INFO(sampler);
    CHECK(std::ssize(*trace) == expected);
  }
}

TEST_CASE("churn lifts sigma inside its range only and draws once a step", "[samplers]") {
  const auto schedule = schedule_of("{type: edm}");
  const TimeGrid grid = on(*schedule);
  const auto trace = std::make_shared<std::vector<Evaluation>>();
  ReplayedNoise noise(at::zeros({8, 1, 1, 1, 1}, at::kDouble));
  made(make_sampler, "{type: euler, S_churn: 0.8, S_min: 0.5, S_max: 10}")(recorded(peaks, trace), *schedule, grid,
                                                                           at::ones({1, 1, 1, 1}, at::kDouble), noise);
  CHECK(noise.used() == 8);
  REQUIRE(trace->size() == 8);
  for (std::size_t i = 0; i < 8; ++i) {
    const double sigma = grid.t[i];
    CHECK_THAT((*trace)[i].sigma, WithinRel(sigma >= 0.5 && sigma <= 10 ? 1.1 * sigma : sigma, 1e-12));
  }
}

TEST_CASE("ancestral steps split the noise of the next level", "[samplers]") {
  const AncestralStep step = ancestral_step(10, 2, 1);
  CHECK_THAT(step.down, WithinRel(0.4, 1e-12));
  CHECK_THAT(step.up, WithinRel(std::sqrt(4 - 0.16), 1e-12));
  CHECK(ancestral_step(10, 2, 0).up == 0.0);
  CHECK(ancestral_step(10, 0, 1).up == 0.0);
  const auto vp = schedule_of("{type: vp}");
  for (const double t : {0.01, 0.3, 0.9}) CHECK_THAT(diffusion(*vp, t), WithinRel(std::sqrt(0.1 + 19.9 * t), 1e-12));
  const auto ddpm = schedule_of("{type: ddpm}");
  CHECK_THAT(transition_std(*ddpm, 500, ddpm->sigma(499)),
             WithinRel(std::sqrt(1e-4 + 499 * (0.02 - 1e-4) / 999), 1e-9));
}

TEST_CASE("ddim's own clip keeps the direction of the uncut D", "[samplers]") {
  const auto schedule = schedule_of("{type: edm}");
  const TimeGrid grid{{3.0, 1.0}};
  const Denoiser two = [](const Tensor& z, double) { return at::full_like(z, 2.0); };
  NoNoise noise;
  const Tensor x = at::full({1, 1, 1, 1}, 5.0, at::kDouble);
  CHECK_THAT(
      made(make_sampler, "{type: ddim, clip: [-1, 1], final: none}")(two, *schedule, grid, x, noise).item<double>(),
      WithinRel(1 + (5.0 - 2) / 3, 1e-12));
  CHECK_THAT(
      made(make_sampler, "{type: ddim, final: none}")(clipped(two, {-1, 1}), *schedule, grid, x, noise).item<double>(),
      WithinRel(1 + (5.0 - 1) / 3, 1e-12));
  CHECK(made(make_sampler, "{type: ddim, clip: [-1, 1]}")(two, *schedule, grid, x, noise).item<double>() == 1.0);
}

}  // namespace edmund::testing
