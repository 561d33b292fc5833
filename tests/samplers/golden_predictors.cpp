// Single updates of score_sde's predictors.
#include "edmund/core/error.h"
#include "edmund/samplers/posterior.h"
#include "edmund/samplers/sampler.h"
#include "samplers/noise.h"
#include "schedules/sde.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/mixture.h"

#include <ATen/ops/zeros_like.h>
#include <iostream>

namespace edmund::testing {
namespace {

// Samplers of a predictor-corrector family: not among those of this test.
const std::vector<std::string> kLater{"*.reverse_diffusion.*", "*.langevin_*", "*.ald_*"};

// One update of SDE.tI: the stored score as D, the stored draw.
struct Update {
  Golden& golden;
  Sde sde;
  std::string prefix;  // "vp.t0."
  double t;
  std::int64_t N;

  Tensor run(const std::string& sampler, const NoiseSchedule& path, const TimeGrid& grid, bool with_noise) const {
    const Tensor x = golden.real(prefix + "x"), draw = golden.real(prefix + "noise"),
                 score = golden.real(prefix + "score");
    const double s = path.scale(grid.t.front());
    const Denoiser D = [&](const Tensor& z, double sigma) { return z + (sigma * sigma * s) * score; };
    ReplayedNoise noise((with_noise ? draw : at::zeros_like(draw)).unsqueeze(0));
    return made(make_sampler, sampler)(D, path, grid, x, noise);
  }

  void check(const std::string& predictor, const Tensor& x, const Tensor& mean) const {
    golden.check_max(prefix + predictor + ".x", x, 2e-5);
    golden.check_max(prefix + predictor + ".x_mean", mean, 2e-5);
  }

  void euler_maruyama(const std::string& name, double lambda) const {
    const auto path = sde.path(1e-6);
    const TimeGrid grid{{t, t - 1 / static_cast<double>(N)}};
    const std::string sampler = "{type: reverse_sde, final: none, lambda: " + number_text(lambda) + "}";
    check(name, run(sampler, *path, grid, true), run(sampler, *path, grid, false));
  }

  // From table entry k to k - 1 (counted from 0; the clean image is below 0).
  void ancestral() const {
    require(sde.name != "subvp", "golden {}: sub-VP has no ancestral sampling", golden.name());
    const bool vp = sde.name == "vp";
    const std::int64_t k = table_index(t, N);
    const auto path = vp ? sde.table(N) : sde.path(0.0);
    const auto entry = [&](std::int64_t i) {
      return vp ? static_cast<double>(i + 1) : static_cast<double>(i) / static_cast<double>(N - 1);
    };
    const std::string sampler = std::string("{type: ancestral, variance: ") + (vp ? "beta" : "posterior") +
                                ", final: " + (k > 0 ? "none" : "denoise") + "}";
    const TimeGrid grid = k > 0 ? TimeGrid{{entry(k), entry(k - 1)}} : TimeGrid{{entry(k)}};
    const Tensor mean = run(sampler, *path, grid, false);
    // The reference adds the noise of VP's last step too.
    const double last = vp ? transition_std(*path, entry(0), 0.0) : 0.0;
    check("ancestral_sampling", k > 0 ? run(sampler, *path, grid, true) : mean + last * golden.real(prefix + "noise"),
          mean);
  }

  void check_score() const {
    const auto path = sde.path(1e-6);
    const double s = path->scale(t), sigma = path->sigma(t);
    // The states of all times are one draw, as wide as data of variance ½ is there.
    golden.check_max(prefix + "x", s * std::sqrt(0.5 + sigma * sigma) * golden.real("x"), 2e-5);
    golden.check_max(prefix + "score", Mixture::from(golden).score(golden.real(prefix + "x") / s, sigma) / s, 2e-5);
  }
};

}  // namespace

TEST_CASE("reverse_sde and ancestral are score_sde's predictors", "[golden][samplers]") {
  for_each_golden(
      {"sde_predictors_"},
      [](Golden& golden) {
        const auto times = golden.reals("t_values");
        std::int64_t later = 0;
        for (const char* key : {"vp", "subvp", "ve"}) {
          if (!golden.settings().contains(key)) continue;
          for (std::size_t i = 0; i < times.size(); ++i) {
            const std::string prefix = std::string(key) + ".t" + std::to_string(i) + ".";
            if (golden.names(prefix).empty()) continue;
            const Update update{golden, Sde(golden, key), prefix, times[i],
                                golden.settings().at("N").get<std::int64_t>()};
            update.check_score();
            const auto has = [&](const std::string& predictor) { return golden.has(prefix + predictor + ".x"); };
            if (has("euler_maruyama")) update.euler_maruyama("euler_maruyama", 1.0);
            if (has("euler_maruyama.pf")) update.euler_maruyama("euler_maruyama.pf", 0.0);
            if (has("ancestral_sampling")) update.ancestral();
            if (has("none")) update.check("none", golden.real(prefix + "x"), golden.real(prefix + "x"));
            for (const auto& name : golden.names(prefix))
              for (const auto& pattern : kLater) later += fits(name, pattern);
          }
        }
        std::cout << "golden " << golden.name() << ": " << later
                  << " tensors of predictor-corrector samplers are left to their own test\n";
      },
      kLater);
}

}  // namespace edmund::testing
