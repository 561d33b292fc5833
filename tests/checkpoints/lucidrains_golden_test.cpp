// Checkpoints of denoising-diffusion-pytorch: network, predictions, tables, every tensor.
#include "edmund/schedules/noise_schedule.h"
#include "foreign_model.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

using namespace edmund;
using testing::Golden;

namespace {

std::vector<std::string> said(const nlohmann::json& settings) {
  const std::int64_t size = settings.at("diffusion").at("image_size");
  return {format("image.height={}", size), format("image.width={}", size)};
}

std::string objective(const nlohmann::json& diffusion) {
  const std::string name = diffusion.value("objective", "pred_v");
  require(name == "pred_noise" || name == "pred_x0" || name == "pred_v", "the objective {} is not converted", name);
  return name == "pred_noise" ? "eps" : name == "pred_x0" ? "x0" : "v";
}

// Tables of the schedule that the converted run samples on.
void check_tables(Golden& golden, const Experiment& experiment, const std::string& predicted) {
  const auto& diffusion = golden.settings().at("diffusion");
  const double tolerance = testing::fp32_tolerance(golden);
  const auto& sigmas = experiment.model.preconditioning().levels;
  golden.check("as many steps", static_cast<std::int64_t>(sigmas.size()) == diffusion.value("timesteps", 1000));
  const Tensor sigma = at::tensor(at::ArrayRef<double>(sigmas)), alpha_bar = 1 / (1 + sigma.square());
  golden.check_max("alphas_cumprod", alpha_bar, tolerance);
  const Tensor before = at::cat({at::ones({1}, at::kDouble), alpha_bar.narrow(0, 0, alpha_bar.size(0) - 1)});
  golden.check_max("betas", 1 - alpha_bar / before, tolerance);
  const Tensor snr = sigma.square().reciprocal();
  const Tensor clipped =
      diffusion.value("min_snr_loss_weight", false) ? snr.clamp_max(diffusion.value("min_snr_gamma", 5.0)) : snr;
  const Tensor weight = predicted == "eps" ? clipped / snr : predicted == "x0" ? clipped : clipped / (snr + 1);
  golden.check_max("loss_weight", weight, tolerance);
}

void check_predictions(Golden& golden, Experiment& experiment) {
  const double tolerance = testing::fp32_tolerance(golden);
  const at::NoGradGuard no_grad;
  experiment.model.network().to(at::kFloat);
  const Tensor sigma = at::tensor(at::ArrayRef<double>(experiment.model.preconditioning().levels))
                           .index_select(0, golden.use("io.t").to(at::kLong)),
               level = sigma.reshape({-1, 1, 1, 1}),
               z = golden.use("io.x").to(at::kDouble) * (1 + level.square()).sqrt();
  const Tensor D = experiment.model.denoise(z, sigma, {}), cut = D.clamp(-1, 1);
  golden.check_max("pred_x_start", D, tolerance);
  golden.check_max("pred_noise", (z - D) / level, tolerance);
  golden.check_max("pred_x_start_clip", cut, tolerance);
  golden.check_max("pred_noise_clip", (z - cut) / level, tolerance);
}

}  // namespace

TEST_CASE("checkpoints of denoising-diffusion-pytorch give what its own code gives", "[checkpoints][golden]") {
  testing::for_each_golden({"checkpoint_lucidrains_"}, [](Golden& golden) {
    const PickleFile pickle(testing::golden_folder() / golden.settings().at("file").get<std::string>());
    auto stored = testing::stored(pickle, *pickle.root().find("ema"));
    std::erase_if(stored, [](const auto& entry) { return !entry.first.starts_with("ema_model."); });
    testing::check_sums(golden, "tensorsum.", stored);
    const auto all = said(golden.settings());
    ForeignModel model = testing::foreign(golden, "file", "", all);
    golden.check("the kind is found out", model.kind == "lucidrains");
    const std::string predicted = objective(golden.settings().at("diffusion"));
    golden.check("the objective is found out",
                 nlohmann::json::parse(model.config).at("preconditioning").at("type") == predicted);
    Experiment experiment = testing::experiment_of(model, all);
    check_tables(golden, experiment, predicted);
    check_predictions(golden, experiment);
    const auto output = [&](Experiment& made, at::ScalarType dtype) {
      return testing::network_output(made, golden.use("io.x").to(dtype), golden.use("io.t").to(dtype));
    };
    golden.check_max("out", output(experiment, at::kFloat), testing::fp32_tolerance(golden));
    golden.check_max("out.fp64", output(experiment, at::kDouble), testing::kDoubleTolerance);
    model.weights = model.raw;
    Experiment raw = testing::experiment_of(model, all);
    golden.check_max("out.model_weights", output(raw, at::kFloat), testing::fp32_tolerance(golden));
  });
}
