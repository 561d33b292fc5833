// image_v1 of k-diffusion in both layouts: denoiser, network, loss, every tensor of the file.
#include "foreign_model.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

using namespace edmund;
using testing::Golden;

namespace {

// The factor that their loss has beside the mean square of F's error.
Tensor weight_of(const nlohmann::json& config, const Tensor& sigma) {
  const std::string kind = config.value("loss_weighting", "karras");
  const double data = config.value("sigma_data", 1.0);
  if (kind == "karras") return at::ones_like(sigma);
  if (kind == "soft-min-snr") return (sigma * data).square() / (sigma.square() + data * data).square();
  if (kind == "snr") return data * data / (sigma.square() + data * data);
  fail("no reading of the loss_weighting '{}'", kind);
}

void check_outputs(Golden& golden, const ForeignModel& model, const nlohmann::json& config) {
  const double tolerance = testing::fp32_tolerance(golden);
  Experiment experiment = testing::experiment_of(model);
  const at::NoGradGuard no_grad;
  const auto io = [&](const std::string& name, at::ScalarType dtype) { return golden.use("io." + name).to(dtype); };
  const auto D = [&](at::ScalarType dtype, const Condition& condition) {
    experiment.model.network().to(dtype);
    return experiment.model.denoise(io("x", dtype), io("sigma", dtype), condition);
  };
  golden.check_max("out.inner",
                   testing::network_output(experiment, io("x", at::kFloat), io("sigma", at::kFloat).log() / 4),
                   tolerance);
  golden.check_max("out", D(at::kFloat, {}), tolerance);
  if (golden.has("out.aug_cond"))
    golden.check_max("out.aug_cond", D(at::kFloat, {.augment = io("aug_cond", at::kFloat)}), tolerance);
  if (golden.has("loss")) {
    require(config.value("loss_config", "karras") == "karras" && config.value("loss_scales", 1) == 1 &&
                !config.value("has_variance", false),
            "losses over scales or with a variance are not read");
    const auto part = [&](const std::string& name) { return golden.use("loss." + name); };
    // weight `unit`: the square of F's error
    const DenoisingModel unit(experiment.model.shared_network(), experiment.model.preconditioning(),
                              [](const Tensor&) { return Tensor(); });
    const Tensor sigma = io("sigma", at::kFloat);
    const Tensor loss = unit.loss(part("input"), part("noise"), sigma, {}).flatten(1).mean(1);
    golden.check_max("loss", loss * weight_of(config, sigma), tolerance);
  }
  golden.check_max("out.fp64", D(at::kDouble, {}), testing::kDoubleTolerance);
}

}  // namespace

TEST_CASE("image_v1 of k-diffusion gives what its own code gives, from both of its layouts", "[checkpoints][golden]") {
  testing::for_each_golden({"checkpoint_kdiffusion_"}, [](Golden& golden) {
    const std::filesystem::path file = testing::golden_folder() / golden.settings().at("file").get<std::string>();
    const auto& config = golden.settings().at("config");
    const PickleFile pickle(file);
    testing::check_sums(golden, "tensorsum.", testing::stored(pickle, *pickle.root().find("model_ema")));
    const ForeignModel whole = read_foreign(file);
    golden.check("the kind is found out", whole.kind == "kdiffusion" && !whole.raw.empty());
    check_outputs(golden, whole, config);
    const auto slim = file.parent_path() / (file.stem().string() + "_slim.safetensors");
    if (std::filesystem::exists(slim)) check_outputs(golden, read_foreign(slim), config);
  });
}
