#include "edmund/core/error.h"
#include "edmund/diffusion/model.h"
#include "edmund/diffusion/noise_levels.h"
#include "support/catch.h"
#include "support/device.h"
#include "support/golden.h"
#include "support/oracle.h"
#include "support/wrappers.h"

#include <ATen/ATen.h>
#include <cmath>
#include <numbers>

using namespace edmund;
using nlohmann::json;
using testing::Golden;

namespace {

// A loss class of NVlabs/edm in our words: what the network learns, where σ comes from, and the
// weight that the class states.
struct Parts {
  json preconditioning, levels, weight;
  bool from_normal = false;  // σ drawn by a normal number, else by a uniform one
  bool backwards = false;    // u = 1 - draw
};

Parts parts(const std::string& loss, const json& s) {
  const auto known = [&](const std::vector<std::string>& names) {
    for (const auto& [key, value] : s.items())
      require(std::find(names.begin(), names.end(), key) != names.end(), "no option here for the setting '{}'", key);
  };
  if (loss == "EDMLoss") {
    known({"P_mean", "P_std", "sigma_data"});
    const double data = s.value("sigma_data", 0.5);
    return {.preconditioning = {{"type", "edm"}, {"sigma_data", data}},
            .levels = {{"type", "lognormal"}, {"mean", s.value("P_mean", -1.2)}, {"std", s.value("P_std", 1.2)}},
            .weight = {{"type", "edm"}, {"sigma_data", data}},
            .from_normal = true};
  }
  if (loss == "VPLoss") {
    known({"beta_d", "beta_min", "epsilon_t"});
    const double d = s.value("beta_d", 19.9), low = s.value("beta_min", 0.1), start = s.value("epsilon_t", 1e-5);
    return {
        .preconditioning = {{"type", "eps"},
                            {"noise_input", {{"type", "vp"}, {"beta_d", d}, {"beta_min", low}, {"epsilon_t", start}}}},
        .levels = {{"type", "schedule"},
                   {"schedule", {{"type", "vp"}, {"beta_min", low}, {"beta_max", low + d}, {"t_min", start}}}},
        .weight = {{"type", "snr"}},
        .backwards = true};
  }
  require(loss == "VELoss", "unknown loss '{}'", loss);
  known({"sigma_min", "sigma_max"});
  const double low = s.value("sigma_min", 0.02), high = s.value("sigma_max", 100.0);
  return {.preconditioning = {{"type", "score"},
                              {"noise_input", {{"type", "ve"}, {"sigma_min", low}, {"sigma_max", high}}}},
          .levels = {{"type", "log_uniform"}, {"sigma_min", low}, {"sigma_max", high}},
          .weight = {{"type", "snr"}}};
}

template <typename Make>
auto made(Make make, const json& mapping) {
  Options options = testing::options_of(mapping);
  auto out = make(options);
  options.finish();
  return out;
}

}  // namespace

TEST_CASE("The losses of NVlabs/edm are unit weight on our rows, for the same draws", "[diffusion][golden]") {
  const testing::TestDevice device;
  testing::for_each_golden({"loss_"}, [](Golden& golden) {
    const auto mixture = testing::Mixture::from(golden);
    const Tensor x0 = golden.real("images");
    const double tolerance = testing::number_in(golden.about().at("tolerance"), "rel ([0-9.e-]+)");
    for (const auto& [name, value] : golden.settings().items()) {
      const Parts p = parts(name.substr(0, name.find('.')), golden.settings(name));
      const NoiseLevels levels = made(make_noise_levels, p.levels);
      std::vector<double> sigmas;
      for (const double draw : golden.reals(name + (p.from_normal ? ".rnd_normal" : ".rnd_uniform"))) {
        const double u = p.from_normal ? 0.5 * std::erfc(-draw / std::numbers::sqrt2) : p.backwards ? 1 - draw : draw;
        sigmas.push_back(levels(u));
      }
      golden.check_each(name + ".sigma", sigmas, tolerance);

      const Tensor sigma = golden.real(name + ".sigma").flatten(), eps = golden.real(name + ".noise");
      const Preconditioning row = made(make_preconditioning, p.preconditioning);
      const auto oracle = std::make_shared<testing::Oracle>(mixture, row);
      oracle->sigma = sigma;
      const DenoisingModel unit(oracle, row, made(make_loss_weight, json{{"type", "unit"}}));
      golden.check_max(name + ".loss", unit.loss(x0, eps, sigma, {}), tolerance);
      golden.check_max(name + ".net_input", oracle->z, tolerance);
      const DenoisingModel stated(oracle, row, made(make_loss_weight, p.weight));
      golden.check_max(name + ".loss", stated.loss(x0, eps, sigma, {}), tolerance);
    }
  });
}
