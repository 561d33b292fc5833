// Bits a dimension of score_sde's Gaussian, and k-diffusion's log likelihood of a mixture.
#include "edmund/core/consecutive.h"
#include "edmund/samplers/likelihood.h"
#include "samplers/noise.h"
#include "samplers/score_sde_slope.h"
#include "schedules/cases.h"
#include "support/catch.h"
#include "support/device.h"
#include "support/golden.h"
#include "support/mixture.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <cmath>
#include <string>

namespace edmund::testing {
namespace {

// "beta_min 0.1, beta_max 20" → "{type: vp, beta_min: 0.1, beta_max: 20, t_min: EPS}" and likewise.
std::unique_ptr<NoiseSchedule> stated_schedule(Golden& golden, const std::string& sde) {
  const auto text = golden.settings().at(sde).get<std::string>();
  const auto value = [&](const std::string& name) {
    return name + ": " + number_text(number_in(text, name + " ([-+.0-9e]+)"));
  };
  if (sde == "ve") return schedule_of("{type: ve, " + value("sigma_min") + ", " + value("sigma_max") + "}");
  const std::string type = sde == "vp" ? "vp" : sde == "subvp" ? "sub_vp" : sde;
  return schedule_of("{type: " + type + ", " + value("beta_min") + ", " + value("beta_max") +
                     ", t_min: " + number_text(golden.settings().at("eps").get<double>()) + "}");
}

// One isotropic Gaussian. The reference integrates x from the data itself at t = eps, without the
// scale s(eps) of the first state.
void check_gaussian(Golden& golden, const std::string& sde) {
  const auto schedule = stated_schedule(golden, sde);
  const TimeGrid grid{{1.0, golden.settings().at("eps").get<double>()}};
  const Tensor x = golden.real("data"), mean = golden.real("gauss.mean");
  const double std = golden.number("gauss.std"), s = schedule->scale(grid.t.back());
  const Mixture mixture{mean.reshape({1, -1}), at::full({1}, std, mean.options()), at::ones({1}, mean.options())};
  const std::int64_t n = x[0].numel();
  // Prior of the reference: σ_max on ve, 1 on the others, whatever s·σ is.
  const double prior = sde == "ve" ? schedule->sigma(1.0) : 1.0;
  const auto bits = [&](const Likelihood& found, double offset) {
    return bits_per_dimension(found.log_density - static_cast<double>(n) * std::log(s), n, offset);
  };
  NoNoise none;
  const Likelihood tight = log_likelihood(
      mixture.denoiser(), *schedule, grid, x / s, none,
      {.trace = Trace::kExact, .adaptive = Tolerance{.relative = 1e-11, .absolute = 1e-11}, .prior_std = prior});
  // The Jacobian is a multiple of 1, so that any Rademacher probe gives the trace.
  PhiloxNoise probes(0, consecutive(0, x.size(0)), at::kDouble, at::kCPU, Stream::kProbe);
  const Tolerance loose{.relative = golden.settings().at("rtol").get<double>(),
                        .absolute = golden.settings().at("atol").get<double>()};
  const Likelihood same = log_likelihood(mixture.denoiser(), *schedule, grid, x / s, probes,
                                         {.trace = Trace::kRademacher, .adaptive = loose, .prior_std = prior});
  golden.check_max(sde + ".centered.z_exact", tight.latent, 1e-8);

  // The density of the data itself: no prior mismatch to speak of and σ → 0.
  const auto wide = schedule_of("{type: edm, sigma_min: 1e-4, sigma_max: 1e4}");
  const Likelihood exact =
      log_likelihood(mixture.denoiser(), *wide, {{1e4, 1e-4}}, x, none,
                     {.trace = Trace::kExact, .adaptive = Tolerance{.relative = 1e-10, .absolute = 1e-10}});

  for (const auto& [range, offset] : {std::pair{"centered", 7.0}, std::pair{"unit", 8.0}}) {
    const std::string name = sde + "." + range + ".";
    golden.check_each(name + "bpd_exact_ode", bits(tight, offset), 0.0, 1e-6);
    golden.check_each(name + "bpd_reference", bits(same, offset), 0.0, 5e-4);
    golden.check_each(name + "bpd_true_density", bits_per_dimension(exact.log_density, n, offset), 0.0, 1e-4);
    // as the bits: fp32 at tolerance 1e-5
    golden.check_max(name + "z_reference", same.latent, 5e-4);

    // The reference solves the whole batch as one row, with the integral of the divergence behind
    // all images.
    const ScoreSdeSlope slope(Sde(golden, sde), mixture);
    const Slope coupled = [&](double t, const Tensor& y) {
      const Tensor images = y.narrow(1, 0, x.numel()).reshape(x.sizes());
      return at::cat({slope(t, images).reshape({1, -1}).to(at::kDouble), slope.divergence(t, images).unsqueeze(0)}, 1);
    };
    const Tensor y0 = at::cat({x.reshape({1, -1}), at::zeros({1, x.size(0)}, x.options())}, 1);
    const Solution solution = dormand_prince(coupled, y0, grid.t.back(), grid.t.front(), loose);
    golden.check(name + "nfe: ours " + std::to_string(solution.evaluations),
                 solution.evaluations == golden.use(name + "nfe").item<std::int64_t>());
    // the same steps on the same rounded slope: to the last bit where exp is the same
    golden.check_max(name + "z_reference", solution.y.narrow(1, 0, x.numel()).reshape(x.sizes()), 2e-6);
  }
}

// log p by k-diffusion: nats, prior N(0, σ_max²), one stored Rademacher vector.
void check_mixture(Golden& golden) {
  golden.check("log likelihood, if there is one", true);
  if (!golden.has("log_likelihood.x")) return;
  const auto text = golden.settings().at("sigmas").get<std::string>();
  const double low = number_in(text, R"(get_sigmas_karras\(\d+, ([.0-9]+))"),
               high = number_in(text, R"(get_sigmas_karras\(\d+, [.0-9]+, ([.0-9]+))");
  const auto schedule =
      schedule_of("{type: edm, sigma_min: " + number_text(low) + ", sigma_max: " + number_text(high) + "}");
  const Mixture mixture = Mixture::from(golden);
  const Tensor x = golden.real("log_likelihood.x");
  const Tolerance tight{.relative = 1e-11, .absolute = 1e-11};

  ReplayedNoise probe(golden.real("log_likelihood.rademacher").unsqueeze(0));
  const Likelihood estimate = log_likelihood(mixture.denoiser(), *schedule, {{high, low}}, x, probe,
                                             {.trace = Trace::kRademacher, .adaptive = tight});
  // The reference's own solver (dopri5) is held to 1e-4 a step; its steps end where an
  // interpolation does.
  golden.check_each("log_likelihood.value", estimate.log_density, 1e-4, 1e-4);

  // With the exact trace and the true density of the latent in place of the prior.
  NoNoise none;
  const Likelihood exact = log_likelihood(mixture.denoiser(), *schedule, {{high, low}}, x, none,
                                          {.trace = Trace::kExact, .adaptive = tight});
  const Tensor prior = Mixture::gaussian(0, high, x[0].numel()).log_density(exact.latent.cpu(), 0.0).to(x.device());
  golden.check_max("log_likelihood.exact_log_density_at_sigma_min",
                   exact.log_density - prior + mixture.log_density(exact.latent, high), 1e-8);
  for (const auto& name : golden.unused()) golden.check(name + " is used", !name.starts_with("log_likelihood."));
}

}  // namespace

TEST_CASE("bits a dimension are those of score_sde", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"likelihood_"}, [](Golden& golden) {
    for (const auto& sde : golden.parts())
      if (sde != "data" && sde != "gauss") check_gaussian(golden, sde);
  });
}

TEST_CASE("log likelihood is that of k-diffusion", "[golden][samplers]") {
  const TestDevice device;
  // The samplers of this file have tests of their own.
  for_each_golden({"kdiffusion_samplers_"}, check_mixture, {"*"});
}

}  // namespace edmund::testing
