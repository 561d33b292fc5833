// Single updates of score_sde's predictors and correctors.
#include "edmund/core/error.h"
#include "edmund/samplers/posterior.h"
#include "edmund/samplers/sampler.h"
#include "samplers/noise.h"
#include "schedules/sde.h"
#include "support/catch.h"
#include "support/device.h"
#include "support/golden.h"
#include "support/mixture.h"

#include <ATen/ops/zeros_like.h>
#include <cmath>
#include <regex>

namespace edmund::testing {
namespace {

// One update of SDE.tI: the stored score as D, the stored draw.
struct Update {
  Golden& golden;
  Sde sde;
  std::string prefix;  // "vp.t0."
  double t;
  std::int64_t N;

  Tensor run(const std::string& sampler, const NoiseSchedule& schedule, const TimeGrid& grid, bool with_noise) const {
    const Tensor x = golden.real(prefix + "x"), draw = golden.real(prefix + "noise"),
                 score = golden.real(prefix + "score");
    const double s = schedule.scale(grid.t.front());
    const Denoiser D = [&](const Tensor& z, double sigma) { return z + (sigma * sigma * s) * score; };
    ReplayedNoise noise((with_noise ? draw : at::zeros_like(draw)).unsqueeze(0));
    return made(make_sampler, sampler)(D, schedule, grid, x, noise);
  }

  void check(const std::string& predictor, const Tensor& x, const Tensor& mean) const {
    golden.check_max(prefix + predictor + ".x", x, 2e-5);
    golden.check_max(prefix + predictor + ".x_mean", mean, 2e-5);
  }

  void euler_maruyama(const std::string& name, double lambda) const {
    const auto schedule = sde.continuous(1e-6);
    const TimeGrid grid{{t, t - 1 / static_cast<double>(N)}};
    const std::string sampler = "{type: reverse_sde, final: none, lambda: " + number_text(lambda) + "}";
    check(name, run(sampler, *schedule, grid, true), run(sampler, *schedule, grid, false));
  }

  // From table entry k to k - 1 (counted from 0; the clean image is below 0).
  void ancestral() const {
    require(sde.name != "subvp", "golden {}: sub-VP has no ancestral sampling", golden.name());
    const bool vp = sde.name == "vp";
    const std::int64_t k = table_index(t, N);
    const auto schedule = sde.discrete(N);
    const auto entry = [&](std::int64_t i) { return sde.entry(i, N); };
    const std::string sampler = std::string("{type: ancestral, variance: ") + (vp ? "beta" : "posterior") +
                                ", final: " + (k > 0 ? "none" : "denoise") + "}";
    const TimeGrid grid = k > 0 ? TimeGrid{{entry(k), entry(k - 1)}} : TimeGrid{{entry(k)}};
    const Tensor mean = run(sampler, *schedule, grid, false);
    // The reference adds the noise of VP's last step too.
    const double last = vp ? transition_std(*schedule, entry(0), 0.0) : 0.0;
    check("ancestral_sampling",
          k > 0 ? run(sampler, *schedule, grid, true) : mean + last * golden.real(prefix + "noise"), mean);
  }

  // From table entry k to k - 1, or to the clean image. Sub-VP's step is discretized as
  // Euler–Maruyama's.
  void reverse_diffusion(const std::string& name, bool probability_flow) const {
    if (sde.name == "subvp") return euler_maruyama(name, probability_flow ? 0.0 : 1.0);
    const std::int64_t k = table_index(t, N);
    const auto schedule = sde.discrete(N);
    const std::string sampler = std::string("{type: predictor_corrector, corrector: none, final: ") +
                                (k > 0 ? "none" : "predictor") +
                                ", probability_flow: " + (probability_flow ? "true}" : "false}");
    const TimeGrid grid = k > 0 ? TimeGrid{{sde.entry(k, N), sde.entry(k - 1, N)}} : TimeGrid{{sde.entry(k, N)}};
    const Tensor mean = run(sampler, *schedule, grid, false);
    // The reference adds the noise of the last step too.
    const double last = probability_flow ? 0.0 : transition_std(*schedule, sde.entry(0, N), 0.0);
    check(name, k > 0 ? run(sampler, *schedule, grid, true) : mean + last * golden.real(prefix + "noise"), mean);
  }

  // Corrector steps at t, before a step of table entry k: `name` is KIND_snrSNR_nSTEPS.
  void corrector(const std::string& name) const {
    std::smatch m;
    require(sde.name != "subvp" && std::regex_match(name, m, std::regex(R"((langevin|ald)_snr([0-9.]+)_n([0-9]+))")),
            "golden {}: unknown corrector {} of {}", golden.name(), name, sde.name);
    const auto schedule = sde.continuous(1e-6);
    // The step that follows keeps 1 - β of the signal's square: to the time at which s is that much
    // larger.
    const double s = schedule->scale(t), s_u = s / std::sqrt(1 - sde.beta(table_index(t, N), N));
    const double u = sde.name == "ve" ? 0.5 * t : schedule->time(std::sqrt(1 / (s_u * s_u) - 1));
    const std::string sampler =
        "{type: predictor_corrector, predictor: none, norms: batch, final: none, corrector: " + m[1].str() +
        ", snr: " + m[2].str() + ", corrector_steps: " + m[3].str() + "}";
    const Tensor draws = golden.real(prefix + name + ".noise");
    const auto with_last_draw = [&](double sign) {
      Tensor all = draws.clone();
      all[-1].mul_(sign);
      ReplayedNoise noise(all);
      return made(make_sampler, sampler)(Mixture::from(golden).denoiser(), *schedule, {{t, u}},
                                         golden.real(prefix + "x"), noise);
    };
    // The last step's size depends on its draw by the norm, which a change of sign keeps: half-way
    // lies the mean.
    const Tensor x = with_last_draw(1.0);
    check(name, x, 0.5 * (x + with_last_draw(-1.0)));
  }

  void check_score() const {
    const auto schedule = sde.continuous(1e-6);
    const double s = schedule->scale(t), sigma = schedule->sigma(t);
    // The states of all times are one draw, as wide as data of variance ½ is there.
    golden.check_max(prefix + "x", s * std::sqrt(0.5 + sigma * sigma) * golden.real("x"), 2e-5);
    golden.check_max(prefix + "score", Mixture::from(golden).score(golden.real(prefix + "x") / s, sigma) / s, 2e-5);
  }
};

}  // namespace

TEST_CASE("one step of reverse_sde, ancestral and predictor_corrector is score_sde's", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"sde_predictors_"}, [](Golden& golden) {
    const auto times = golden.reals("t_values");
    for (const char* key : {"vp", "subvp", "ve"}) {
      if (!golden.settings().contains(key)) continue;
      for (std::size_t i = 0; i < times.size(); ++i) {
        const std::string prefix = std::string(key) + ".t" + std::to_string(i) + ".";
        if (golden.names(prefix).empty()) continue;
        const Update update{golden, Sde(golden, key), prefix, times[i], golden.settings().at("N").get<std::int64_t>()};
        update.check_score();
        for (const auto& tensor : golden.names(prefix)) {
          if (!tensor.ends_with(".x_mean")) continue;
          const std::string name = tensor.substr(prefix.size(), tensor.size() - prefix.size() - 7);
          if (name == "euler_maruyama" || name == "euler_maruyama.pf")
            update.euler_maruyama(name, name.ends_with(".pf") ? 0.0 : 1.0);
          else if (name == "reverse_diffusion" || name == "reverse_diffusion.pf")
            update.reverse_diffusion(name, name.ends_with(".pf"));
          else if (name == "ancestral_sampling")
            update.ancestral();
          else if (name == "none")
            update.check("none", golden.real(prefix + "x"), golden.real(prefix + "x"));
          else
            update.corrector(name);
        }
      }
    }
  });
}

}  // namespace edmund::testing
