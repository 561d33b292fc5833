// Snapshots of NVlabs/edm2: our D(z; σ), their learned uncertainty, every tensor of the file.
#include "edmund/networks/magnitude_preserving.h"
#include "foreign_model.h"
#include "support/catch.h"
#include "support/state.h"

#include <nlohmann/json.hpp>

using namespace edmund;
using testing::Golden;

namespace {

void check_uncertainty(Golden& golden, const ForeignModel& model, at::ScalarType dtype, const std::string& twin,
                       double tolerance) {
  if (!golden.has("out.logvar" + twin)) return;
  const std::int64_t features = golden.settings().at("logvar_channels");
  MPFourier fourier(features);
  MPConv linear(features, 1, 0);
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : model.beside) {
    const bool first = name.starts_with("logvar_fourier.");
    auto& module = first ? static_cast<torch::nn::Module&>(fourier) : linear;
    testing::state_of(module).at(name.substr(name.find('.') + 1)).copy_(tensor);
  }
  fourier.to(dtype);
  linear.to(dtype);
  const Tensor c_noise = golden.use("io.sigma").to(dtype).log() / 4;
  golden.check_max("out.logvar" + twin, linear.forward(fourier.forward(c_noise)), tolerance);
}

void check_denoised(Golden& golden, Experiment& experiment, at::ScalarType dtype, const std::string& twin,
                    double tolerance) {
  experiment.model.network().to(dtype);
  const at::NoGradGuard no_grad;
  Condition condition;
  if (golden.has("io.class_labels")) condition.labels = golden.use("io.class_labels").to(dtype);
  const Tensor D = experiment.model.denoise(golden.use("io.x").to(dtype), golden.use("io.sigma").to(dtype), condition);
  golden.check_max("out" + twin, D, tolerance);
}

}  // namespace

TEST_CASE("snapshots of NVlabs/edm2 give what its own code gives", "[checkpoints][golden]") {
  testing::for_each_golden({"checkpoint_edm2_"}, [](Golden& golden) {
    const ForeignModel model = testing::foreign(golden, "file", "");
    golden.check("the kind is found out", model.kind == "edm2");
    std::map<std::string, Tensor> theirs(model.beside.begin(), model.beside.end());
    for (const auto& [name, tensor] : model.weights) theirs.emplace("unet." + name, tensor);
    testing::check_sums(golden, "tensorsum.", theirs);
    Experiment experiment = testing::experiment_of(model);
    for (const bool wide : {false, true}) {
      const at::ScalarType dtype = wide ? at::kDouble : at::kFloat;
      const std::string twin = wide ? ".fp64" : "";
      const double tolerance = wide ? testing::kDoubleTolerance : testing::fp32_tolerance(golden);
      check_denoised(golden, experiment, dtype, twin, tolerance);
      check_uncertainty(golden, model, dtype, twin, tolerance);
    }
  });
}

TEST_CASE("the name of a snapshot of NVlabs/edm2 tells its images and the length of its average",
          "[checkpoints][golden]") {
  const auto file = testing::golden_folder() / "checkpoints/network-snapshot-0002097-0.050.pkl";
  if (!std::filesystem::exists(file)) SKIP("no such file in this folder");
  const ForeignModel model = read_foreign(file);
  CHECK(model.images == 2048 * 1024);
  CHECK(nlohmann::json::parse(model.config).at("training").at("ema").at("sigma_rel") == 0.05);
}
