// Checkpoints of score_sde_pytorch: network, score function, averaged and raw, every tensor.
#include "edmund/schedules/noise_schedule.h"
#include "foreign_model.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

using namespace edmund;
using testing::Golden;

namespace {

// Of their settings, those that are converted with one value only.
const std::map<std::string, nlohmann::json> kOnly = {
    {"name", "ncsnpp"},        {"attention_type", "ddpm"},     {"conditional", true},      {"conv_size", 3},
    {"nonlinearity", "swish"}, {"normalization", "GroupNorm"}, {"resamp_with_conv", true}, {"resblock_type", "biggan"},
    {"skip_rescale", true},    {"progressive_combine", "sum"}};

class Setup {
 public:
  explicit Setup(const Golden& golden) : settings_(golden.settings()), model_(settings_.at("model")) {
    for (const auto& [key, value] : kOnly)
      require(model_.value(key, value) == value, "{} {} is not converted", key, model_.at(key).dump());
    require(settings_.value("continuous", true), "networks of discrete steps are not converted");
    const std::string sde = settings_.at("sde");
    require(sde == "vpsde" || sde == "subvpsde" || sde == "vesde", "the SDE {} is not converted", sde);
    is_ve = sde == "vesde";
    is_sub_vp = sde == "subvpsde";
    const bool scales = model_.at("scale_by_sigma"), centered = settings_.at("data").at("centered");
    require(scales == is_ve && (centered || is_ve), "scale_by_sigma {} and centered {} are not converted for the {}",
            scales, centered, sde);
    is_unit = !centered;
  }

  std::vector<std::string> said() const {
    const auto& data = settings_.at("data");
    std::vector<std::string> out;
    for (const char* side : {"height", "width"})
      out.push_back(format("image.{}={}", side, data.at("image_size").dump()));
    out.push_back("network.resample_filter=" +
                  (model_.at("fir").get<bool>() ? model_.at("fir_kernel").dump() : std::string("[1, 1]")));
    if (is_ve) {
      out.push_back(format("preconditioning.noise_input.range={}", is_unit ? "unit" : "signed"));
      return out;
    }
    if (is_sub_vp) {
      out.emplace_back("preconditioning.scale=sub_vp");
      out.emplace_back("preconditioning.noise_input.sde=sub_vp");
    }
    const double low = model_.at("beta_min"), high = model_.at("beta_max");
    out.push_back(format("preconditioning.noise_input.beta_min={}", low));
    out.push_back(format("preconditioning.noise_input.beta_d={}", high - low));
    return out;
  }

  std::unique_ptr<NoiseSchedule> schedule() const {
    const auto number = [&](const char* key, double factor) { return factor * model_.at(key).get<double>(); };
    const std::string text = is_ve ? format("{type: ve, sigma_min: {}, sigma_max: {}}", number("sigma_min", unit()),
                                            number("sigma_max", unit()))
                                   : format("{type: {}, beta_min: {}, beta_max: {}, t_min: 1e-9}",
                                            is_sub_vp ? "sub_vp" : "vp", number("beta_min", 1), number("beta_max", 1));
    Options options = Options::read_text(text, "settings");
    return make_schedule(options);
  }

  // Of our images in theirs.
  double unit() const { return is_unit ? 2.0 : 1.0; }
  Tensor ours(const Tensor& x) const { return is_unit ? 2 * x - 1 : x; }

  // Our score's deviation by theirs, at time t. They take 1 - exp(·) in float32 (sde_lib.py,
  // marginal_prob), which leaves three digits at t = 0.001; ours is exact.
  double rounding(double t) const {
    if (is_ve) return 1.0;
    const double low = model_.at("beta_min"), high = model_.at("beta_max");
    const auto deviation = [&](at::ScalarType dtype) {
      const Tensor time = at::full({1}, static_cast<float>(t), dtype);
      const Tensor log_mean = -0.25 * time.square() * (high - low) - 0.5 * time * low;
      const Tensor rest = 1.0 - (2.0 * log_mean).exp();
      return (is_sub_vp ? rest : rest.sqrt()).item<double>();
    };
    return deviation(at::kDouble) / deviation(at::kFloat);
  }

  bool is_ve = false, is_sub_vp = false, is_unit = false;

 private:
  const nlohmann::json& settings_;
  const nlohmann::json& model_;
};

class Run {
 public:
  Run(Golden& golden, const Setup& setup, ForeignModel model)
      : golden_(golden), setup_(setup), model_(std::move(model)) {}

  // Their network's output: images of the VE SDE are in [0, 1], and their output is divided by σ.
  Tensor output(const NamedTensors& weights, at::ScalarType dtype) {
    Experiment experiment = made(weights);
    const Tensor x = golden_.use("io.x").to(dtype), time = golden_.use("io.time_cond").to(dtype);
    if (!setup_.is_ve) return testing::network_output(experiment, x, time);
    return testing::network_output(experiment, setup_.ours(x), time.log()) / time.reshape({-1, 1, 1, 1});
  }

  // ∇ log p(x) from our D(z; σ), in their units.
  Tensor score() {
    Experiment experiment = made(model_.weights);
    experiment.model.network().to(at::kDouble);  // D - z cancels
    const auto schedule = setup_.schedule();
    const at::NoGradGuard no_grad;
    std::vector<Tensor> out;
    const auto times = golden_.reals("io.t");
    for (std::size_t i = 0; i < times.size(); ++i) {
      const Tensor x = golden_.use("io.x").narrow(0, static_cast<std::int64_t>(i), 1).to(at::kDouble);
      const double s = schedule->scale(times[i]), sigma = schedule->sigma(times[i]), unit = setup_.unit();
      const Tensor z = setup_.ours(x) / s;
      const Tensor D = experiment.model.denoise(z, at::full({1}, sigma, at::kDouble), {});
      out.push_back(unit / s * (D - z) / (sigma * sigma) * setup_.rounding(times[i]));
    }
    return at::cat(out);
  }

 private:
  Experiment made(const NamedTensors& weights) {
    ForeignModel model = model_;
    model.weights = weights;
    return testing::experiment_of(model, setup_.said());
  }

  Golden& golden_;
  const Setup& setup_;
  ForeignModel model_;
};

void check_tensors(Golden& golden) {
  const PickleFile pickle(testing::golden_folder() / golden.settings().at("file").get<std::string>());
  testing::check_sums(golden, "tensorsum.", testing::stored(pickle, *pickle.root().find("model")));
  std::map<std::string, Tensor> averages;
  const auto& shadow = pickle.root().find("ema")->find("shadow_params")->items;
  for (std::size_t i = 0; i < shadow.size(); ++i) {
    const std::string number = std::to_string(i);
    averages.emplace(std::string(3 - std::min<std::size_t>(3, number.size()), '0') + number,
                     pickle.tensor(*shadow[i], number));
  }
  testing::check_sums(golden, "ema_shadow_sum.", averages);
}

}  // namespace

TEST_CASE("checkpoints of score_sde_pytorch give what its own code gives", "[checkpoints][golden]") {
  testing::for_each_golden({"checkpoint_score_sde_"}, [](Golden& golden) {
    const Setup setup(golden);
    check_tensors(golden);
    const ForeignModel model = testing::foreign(golden, "file", "", setup.said());
    golden.check("the kind is found out", model.kind == "score_sde");
    const double tolerance = testing::fp32_tolerance(golden);
    Run run(golden, setup, model);
    golden.check_max("out", run.output(model.weights, at::kFloat), tolerance);
    golden.check_max("out.fp64", run.output(model.weights, at::kDouble), testing::kDoubleTolerance);
    golden.check_max("out.model_weights", run.output(model.raw, at::kFloat), tolerance);
    golden.check_max("out.score_fn", run.score(), tolerance);
  });
}

TEST_CASE("what a checkpoint of score_sde_pytorch does not tell is asked for by name", "[checkpoints]") {
  const auto file = std::filesystem::path(EDMUND_TEST_FOLDER) / "golden/checkpoints/score_sde_ve_checkpoint_24.pth";
  CHECK_THROWS_WITH(read_foreign(file), Catch::Matchers::ContainsSubstring("image.height=…") &&
                                            Catch::Matchers::ContainsSubstring("width"));
  const std::vector<std::string> said = {"image.height=16", "image.width=16"};
  const auto config = nlohmann::json::parse(read_foreign(file, "", said).config);
  CHECK(config.at("network").at("encoder") == "residual");
  CHECK_THAT(config.at("preconditioning").at("noise_input").at("sigma_max").get<double>(),
             Catch::Matchers::WithinRel(100.0, 1e-9));
}
