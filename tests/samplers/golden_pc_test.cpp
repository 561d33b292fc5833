// score_sde's predictor-corrector samplers from prior to image, and its probability-flow ODE.
#include "edmund/core/error.h"
#include "edmund/samplers/sampler.h"
#include "edmund/samplers/velocity.h"
#include "samplers/integrated.h"
#include "samplers/noise.h"
#include "samplers/score_sde_slope.h"
#include "schedules/sde.h"
#include "support/catch.h"
#include "support/device.h"
#include "support/golden.h"
#include "support/mixture.h"

#include <ATen/ops/zeros_like.h>

namespace edmund::testing {
namespace {

struct Run {
  Golden& golden;
  Sde sde;
  std::string predictor, corrector, name;  // name: SDE.PREDICTOR.CORRECTOR
  std::int64_t N, corrector_steps;
  double eps, snr;
  bool denoise;  // the last step's noise is left out, as our samplers do

  Run(Golden& file, nlohmann::json settings)
      : golden(file),
        sde(file, settings.at("sde").get<std::string>()),
        predictor(settings.at("predictor").get<std::string>()),
        corrector(settings.at("corrector").get<std::string>()),
        name(sde.name + "." + predictor + "." + corrector),
        N(settings.at("N").get<std::int64_t>()),
        corrector_steps(settings.at("n_steps").get<std::int64_t>()),
        eps(settings.at("eps").get<double>()),
        snr(settings.at("snr").get<double>()),
        denoise(settings.at("denoise").get<bool>()) {
    for (const char* key : {"sde", "predictor", "corrector", "N", "n_steps", "eps", "snr", "denoise"})
      settings.erase(key);
    require(settings.empty(), "golden {}: {} has unknown settings {}", golden.name(), name, settings.dump());
  }

  // The reference's i-th time.
  double time(std::int64_t i) const { return std::lerp(1.0, eps, static_cast<double>(i) / static_cast<double>(N - 1)); }
  Tensor prior() const { return sde.prior_std() * golden.real(name + ".unit_prior"); }
  std::int64_t evaluations_a_time() const { return 1 + (corrector == "none" ? 0 : corrector_steps); }

  // Deviation of the noise in the last step, which ends beyond the first entry.
  double last_std() const {
    const double first = time(N - 1), n = static_cast<double>(N);
    if (euler()) return diffusion(*sde.continuous(1e-6), first) / std::sqrt(n);
    if (sde.name == "vp") return std::sqrt(sde.beta(0, N));
    return predictor == "ancestral_sampling" ? 0.0 : sde.low;
  }
  // Sub-VP has no discretization of its own.
  bool euler() const {
    return predictor == "euler_maruyama" || (sde.name == "subvp" && predictor == "reverse_diffusion");
  }

  void check(Tensor x, std::int64_t evaluations, std::int64_t draws) const {
    if (!denoise) x = x + last_std() * golden.real(name + ".noise")[-1];
    golden.check_max(name + ".out", x, 1e-3);
    // The reference counts the evaluations of its corrector that does nothing, too.
    golden.check(name + ": evaluations",
                 golden.number(name + ".nfe") == static_cast<double>(N * (1 + corrector_steps)) &&
                     evaluations == N * evaluations_a_time());
    // It draws for the last step too, and leaves it out.
    golden.check(name + ": draws", draws == golden.use(name + ".noise").size(0) - 1);
  }

  // Steps from entry to entry of the discretization, with the score of the continuous schedule at
  // the times of the reference.
  void discrete() const {
    const auto schedule = sde.discrete(N), continuous = sde.continuous(1e-6);
    const Mixture mixture = Mixture::from(golden);
    std::int64_t calls = 0;
    const Denoiser D = [&](const Tensor& z, double sigma) {
      const double t = time(calls++ / evaluations_a_time()), s = schedule->scale(schedule->time(sigma)),
                   a = continuous->scale(t);
      return z + (sigma * sigma * s) * (mixture.score(s * z / a, continuous->sigma(t)) / a);
    };
    TimeGrid grid;
    for (std::int64_t k = N; k-- > 0;) grid.t.push_back(sde.entry(k, N));
    require(predictor == "reverse_diffusion" || predictor == "ancestral_sampling", "golden {}: unknown predictor {}",
            golden.name(), predictor);
    const std::string sampler =
        "{type: predictor_corrector, norms: batch, final: predictor, predictor: " +
        std::string(predictor == "ancestral_sampling" ? "ancestral" : predictor) +
        ", variance: " + (sde.name == "vp" ? "beta" : "posterior") + ", corrector: " + corrector +
        (corrector == "ald" && sde.name == "vp" ? ", spread: sde, spread_eps: " + number_text(eps) : "") +
        ", snr: " + number_text(snr) + ", corrector_steps: " + std::to_string(corrector_steps) + "}";
    ReplayedNoise noise(golden.real(name + ".noise"));
    const Tensor x = made(make_sampler, sampler)(D, *schedule, grid, prior(), noise);
    check(x, calls, noise.used());
  }

  // Steps of 1/N, although the times lie (1 - ε)/(N - 1) apart: each step is a grid of its own. The
  // last one, without noise, ends beyond t = 0, which reverse_sde does not notice.
  void euler_maruyama() const {
    require(corrector == "none", "golden {}: {} is not served", golden.name(), name);
    const auto schedule = sde.continuous(1e-6);
    const auto calls = std::make_shared<std::int64_t>(0);
    const Denoiser D = counted(Mixture::from(golden).denoiser(), calls);
    const Tensor draws = golden.real(name + ".noise");
    ReplayedNoise noise(draws), none(at::zeros_like(draws));
    Tensor x = prior();
    for (std::int64_t i = 0; i < N; ++i) {
      const TimeGrid step{{time(i), time(i) - 1 / static_cast<double>(N)}};
      x = i + 1 < N ? made(make_sampler,
                           "{type: predictor_corrector, predictor: euler_maruyama, corrector: none, final: none}")(
                          D, *schedule, step, x, noise)
                    : made(make_sampler, "{type: reverse_sde, final: none}")(D, *schedule, step, x, none);
    }
    check(x, *calls, noise.used());
  }
};

void check_ode(Golden& golden, const std::string& key) {
  const Sde sde(golden, key);
  const double eps = number_in(golden.settings().at("ode").get<std::string>(), R"(eps ([0-9][-+.e0-9]*))");
  const auto schedule = sde.continuous(0.5 * eps);
  const Tensor x =
      integrated(Mixture::from(golden).denoiser(), *schedule, golden.real(key + ".ode_rk45.z"), {eps, 1.0}, 300);
  golden.check_max(key + ".ode_exact.out", x, 1e-6);
  golden.check_max(key + ".ode_rk45.out", x, 2e-3);
  // Its own solver's steps on its own slope.
  const Tolerance tolerance = stated_tolerance(golden.settings().at("ode").get<std::string>());
  const Tensor z = golden.real(key + ".ode_rk45.z").cpu();
  const std::int64_t theirs = golden.use(key + ".ode_rk45.nfe").item<std::int64_t>();
  // Near t = 0 the VP SDEs' slope turns a network's last bits, which differ between processors,
  // into other steps: one network among those that differ in nothing else takes the reference's.
  Solution solution;
  std::string tried;
  for (const int off : {0, 1, -1, 2, -2, 3, -3, 4, -4}) {
    const ScoreSdeSlope slope(sde, Mixture::from(golden), at::kFloat, off);
    solution = solved_as_one([&](double t, const Tensor& y) { return slope(t, y); }, z, 1.0, eps, tolerance);
    tried += " " + std::to_string(solution.evaluations);
    if (solution.evaluations == theirs) break;
  }
  golden.check(key + ".ode_rk45: ours" + tried, solution.evaluations == theirs);
  // The same steps; a network in double is off by 100 times as much.
  golden.check_max(key + ".ode_rk45.out", solution.y.reshape(z.sizes()), key == "ve" ? 1e-6 : 2e-6);
}

}  // namespace

TEST_CASE("predictor_corrector and reverse_sde give score_sde's samples", "[golden][samplers]") {
  const TestDevice device;
  for_each_golden({"sde_pc_"}, [](Golden& golden) {
    for (const auto& settings : golden.settings().at("runs")) {
      const Run run(golden, settings);
      run.euler() ? run.euler_maruyama() : run.discrete();
    }
    for (const char* key : {"vp", "subvp", "ve"})
      if (golden.has(std::string(key) + ".ode_rk45.z")) check_ode(golden, key);
  });
}

}  // namespace edmund::testing
