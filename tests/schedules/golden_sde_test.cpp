// Marginals, coefficients and discretizations of the VP, sub-VP and VE SDEs of score_sde.
#include "edmund/core/error.h"
#include "edmund/samplers/posterior.h"
#include "edmund/samplers/velocity.h"
#include "edmund/schedules/betas.h"
#include "edmund/schedules/linear_beta.h"
#include "schedules/sde.h"
#include "support/catch.h"
#include "support/golden.h"

#include <algorithm>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <cmath>
#include <numbers>

namespace edmund::testing {
namespace {

constexpr double kNearClean = 1e-9;

// f at each t, [T].
Tensor over(const std::vector<double>& times, const std::function<double(double)>& f) {
  std::vector<double> out;
  for (const double t : times) out.push_back(f(t));
  return at::tensor(out);
}

// Reference times the relative tolerance, which is another one at the smallest t.
void check_column(Golden& golden, const std::string& name, const Tensor& ours, double relative, double at_smallest_t) {
  const Tensor reference = golden.real(name);
  golden.check_each_of(name + " at the smallest t", ours.slice(0, 0, 1), reference.slice(0, 0, 1), at_smallest_t);
  golden.check_each_of(name, ours.slice(0, 1), reference.slice(0, 1), relative);
}

// log N(z; 0, std² I) of each row.
Tensor log_normal_density(const Tensor& z, double std) {
  const Tensor flat = z.flatten(1);
  const double D = static_cast<double>(flat.size(1));
  return -0.5 * (flat / std).square().sum(1) - 0.5 * D * std::log(2 * std::numbers::pi * std * std);
}

// The VP SDEs begin at t = 0 with the clean image, where our schedules, with σ > 0, do not: s = 1,
// σ = 0, and what β is there.
bool is_clean(const Sde& sde, double t) { return t == 0 && sde.name != "ve"; }
double near_clean(const Sde& sde, double t) { return is_clean(sde, t) ? kNearClean : t; }
double diffusion_from_0(const Sde& sde, const NoiseSchedule& schedule, double t) {
  if (!is_clean(sde, t)) return diffusion(schedule, t);
  return sde.name == "vp" ? std::sqrt(LinearBeta{sde.low, sde.high - sde.low}.rate(t)) : 0.0;
}
double first_time(const std::vector<double>& times) { return times.front() == 0 ? kNearClean : times.front(); }

void check_continuous(Golden& golden, const Sde& sde) {
  const auto times = golden.reals("t");
  require(std::is_sorted(times.begin(), times.end()), "golden {}: times are not ascending", golden.name());
  const auto schedule = sde.continuous(first_time(times));
  const auto column = [&](const std::function<double(double)>& f) { return over(times, f).view({-1, 1, 1, 1}); };
  const Tensor s = column([&](double t) { return is_clean(sde, t) ? 1.0 : schedule->scale(t); });
  const Tensor rate = column([&](double t) { return schedule->scale_rate(near_clean(sde, t)); });
  const std::pair<const char*, Tensor> columns[] = {
      {"mean_coeff", s.flatten()},
      {"std", over(times, [&](double t) { return is_clean(sde, t) ? 0.0 : schedule->scale(t) * schedule->sigma(t); })},
      {"diffusion", over(times, [&](double t) { return diffusion_from_0(sde, *schedule, t); })},
      {"drift", rate / s * golden.real("x")},
      {"prior_logp", log_normal_density(golden.real("z"), sde.prior_std())},
  };
  for (const auto& [quantity, ours] : columns) {
    // At t = 0 the drift is taken 1e-9 away, where β is 2e-7 of itself larger.
    const double at_first = times.front() == 0 ? 1e-6 : quantity == std::string("std") ? 1e-8 : 1e-10;
    check_column(golden, sde.name + ".fp64." + quantity, ours, 1e-10, at_first);
    golden.check_max(sde.name + ".fp32." + quantity, ours, 1e-5);
  }
}

// One forward step of `N`: x + f + G·noise.
void check_discretized(Golden& golden, const Sde& sde, const std::string& count) {
  const std::int64_t N = std::stoll(count);
  const std::string prefix = sde.name + ".N" + count + ".";
  const auto times = golden.reals("t");
  const Tensor x = golden.real("x");
  const auto schedule = sde.continuous(first_time(times));
  const auto f = [&](const std::function<double(double)>& factor) {
    return over(times, factor).view({-1, 1, 1, 1}) * x;
  };
  if (sde.name == "subvp") {  // Euler-Maruyama
    const double n = static_cast<double>(N);
    golden.check_max(prefix + "discretize_f", f([&](double t) {
                       return schedule->scale_rate(near_clean(sde, t)) / schedule->scale(near_clean(sde, t)) / n;
                     }),
                     1e-5);
    golden.check_max(prefix + "discretize_G",
                     over(times, [&](double t) { return diffusion_from_0(sde, *schedule, t) / std::sqrt(n); }), 1e-5);
  } else if (sde.name == "vp") {
    const auto ddpm = sde.table(N);
    // from entry step to step + 1
    const auto step = [&](double t) { return static_cast<double>(table_index(t, N)); };
    const auto before = [&](double k) { return k > 0 ? ddpm->scale(k) : 1.0; };
    golden.check_max(prefix + "discretize_f",
                     f([&](double t) { return ddpm->scale(step(t) + 1) / before(step(t)) - 1; }), 1e-5);
    const auto G = [&](double t) {
      return transition_std(*ddpm, step(t) + 1, step(t) > 0 ? ddpm->sigma(step(t)) : 0.0);
    };
    golden.check_max(prefix + "discretize_G", over(times, G), 1e-5);
    if (golden.has(prefix + "discrete_betas")) {
      const auto betas = make_betas("linear", N, sde.low / static_cast<double>(N), sde.high / static_cast<double>(N));
      golden.check_max(prefix + "discrete_betas", at::tensor(betas), 1e-5);
      golden.check_max(prefix + "alphas_cumprod", at::tensor(alphas_cumprod(betas)), 1e-5);
    }
  } else {
    const auto entry = [&](std::int64_t k) { return static_cast<double>(k) / static_cast<double>(N - 1); };
    const auto G = [&](double t) {
      const std::int64_t k = table_index(t, N);
      return transition_std(*schedule, entry(k), k > 0 ? schedule->sigma(entry(k - 1)) : 0.0);
    };
    golden.check_max(prefix + "discretize_f", at::zeros_like(x), 1e-5);
    golden.check_max(prefix + "discretize_G", over(times, G), 1e-5);
    if (golden.has(prefix + "discrete_sigmas")) {
      std::vector<double> sigmas;
      for (std::int64_t k = 0; k < N; ++k) sigmas.push_back(schedule->sigma(entry(k)));
      golden.check_max(prefix + "discrete_sigmas", at::tensor(sigmas), 1e-5);
    }
  }
}

}  // namespace

TEST_CASE("vp, sub_vp and ve are the SDEs of score_sde", "[golden][schedules]") {
  for_each_golden({"sde_vp_subvp_ve_"}, [](Golden& golden) {
    for (const auto& name : golden.settings().items()) {
      const Sde sde(golden, name.key());
      check_continuous(golden, sde);
      for (const auto& part : golden.parts(sde.name + "."))
        if (part.starts_with("N")) check_discretized(golden, sde, part.substr(1));
    }
  });
}

}  // namespace edmund::testing
