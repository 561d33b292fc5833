// Golden files edm2_loss_* and training_edm2_*: EDM2's loss with learned uncertainty, its learning
// rate, and steps of its loop on stored data and draws.
#include "edmund/core/consecutive.h"
#include "edmund/core/error.h"
#include "edmund/diffusion/model.h"
#include "edmund/networks/state_dict.h"
#include "edmund/training/trainer.h"
#include "golden_training_settings.h"
#include "objectives/uncertainty.h"
#include "support/catch.h"
#include "support/edm2_network.h"
#include "support/golden.h"
#include "support/kernels.h"
#include "support/oracle.h"
#include "support/wrappers.h"

#include <ATen/ATen.h>
#include <functional>
#include <map>
#include <memory>
#include <utility>

using namespace edmund;
using namespace edmund::testing;
using nlohmann::json;

namespace {

/// EDM2Loss: ln σ ~ N(P_mean, P_std²).
struct LossSettings {
  double mean = -0.4, std = 1.0, sigma_data = 0.5;

  explicit LossSettings(const json& settings) {
    require_keys(settings, {"P_mean", "P_std", "sigma_data"});
    mean = settings.value("P_mean", mean);
    std = settings.value("P_std", std);
    sigma_data = settings.value("sigma_data", sigma_data);
  }
};

/// The learning rate of the reference, from a config as a run has it.
LearningRate rate_of(const json& settings, std::int64_t batch) {
  require_keys(settings, {"rampup_Mimg", "ref_batches", "ref_lr"});
  Options options = options_of({{"images", 1},
                                {"batch_size", batch},
                                {"learning_rate", settings.at("ref_lr")},
                                {"learning_rate_first", "full"},
                                {"learning_rate_ramp", 1e6 * settings.value("rampup_Mimg", 0.0)},
                                {"learning_rate_decay_batches", settings.value("ref_batches", 0.0)}});
  const TrainingSettings out = training_settings(options);
  options.finish();
  return out.learning_rate;
}

/// The head with the features and the weight of a file.
Uncertainty head_of(Golden& golden, const std::string& prefix, at::ScalarType dtype) {
  const Tensor weight = golden.use(prefix + "logvar_linear.weight").to(dtype).flatten();
  Uncertainty out(0, at::TensorOptions().dtype(dtype), weight.numel(), Uncertainty::Weight::kNormalized);
  out.weight().set_data(weight.clone());
  out.frequency().set_data(golden.use(prefix + "logvar_fourier.freqs").to(dtype));
  out.phase().set_data(golden.use(prefix + "logvar_fourier.phases").to(dtype));
  return out;
}

void check_loss_case(Golden& golden, const std::string& name, const json& settings, double single, double twin) {
  const LossSettings s(settings);
  const auto use = [&](const std::string& key) {
    return golden.real(golden.has(name + "." + key) ? name + "." + key : key);
  };
  const Tensor x0 = use("images"), eps = use("noise"), sigma = (use("rnd_normal") * s.std + s.mean).exp().flatten();
  const Preconditioning row = wrapper("EDMPrecond", {{"sigma_data", s.sigma_data}});
  const auto oracle = std::make_shared<Oracle>(Mixture::from(golden), row);
  oracle->sigma = sigma;
  const DenoisingModel model(oracle, row, [](const Tensor&) { return Tensor(); });
  const at::NoGradGuard no_grad;
  const Uncertainty head = head_of(golden, "", at::kDouble);
  const std::map<std::string, Tensor> ours = {
      {"sigma", sigma.view({-1, 1, 1, 1})},
      {"denoised", model.denoise(x0 + sigma.view({-1, 1, 1, 1}) * eps, sigma, {})},
      {"logvar", head.log_variance(sigma)},
      {"loss", head.weighted(model.loss(x0, eps, sigma, {}), sigma)}};
  for (const auto& [key, value] : ours) {
    golden.check_max(name + "." + key, value, single);
    golden.check_max(name + "." + key + ".fp64", value, twin);
  }
  // in float32, as a training computes it
  const Tensor narrow = golden.use(name + ".sigma").to(at::kFloat).flatten();
  golden.check_max(name + ".logvar", head_of(golden, "", at::kFloat).log_variance(narrow), single);
}

void check_loss_file(Golden& golden) {
  const std::string text = golden.about().at("tolerance");
  const double single = number_in(text, R"(fp32: rel ([0-9.e-]+))"), twin = number_in(text, R"(`\.fp64`: ([0-9.e-]+))"),
               exact = number_in(text, R"(lr exact to ([0-9.e-]+))");
  require_keys(golden.settings(), {"loss", "lr"});
  for (const auto& [name, settings] : golden.settings().at("loss").items())
    check_loss_case(golden, name, settings, single, twin);
  const auto batch = static_cast<std::int64_t>(golden.number("lr.batch_size"));
  for (const auto& [name, settings] : golden.settings().at("lr").items()) {
    const LearningRate rate = rate_of(settings, batch);
    std::vector<double> rates;
    for (const double images : golden.reals("lr.cur_nimg")) rates.push_back(rate.at(static_cast<std::int64_t>(images)));
    golden.check_each("lr." + name, rates, exact);
  }
}

/// EDM2's loss on stored images, noise and noise levels. Notes the weights of each step before they
/// are normalized, as the reference's are until its next forward pass.
class Given : public Trainable {
 public:
  Given(DenoisingModel model, Uncertainty uncertainty, std::function<TrainingInputs()> inputs)
      : model_(std::move(model)), uncertainty_(std::move(uncertainty)), inputs_(std::move(inputs)) {
    network().stepped();
    uncertainty_.normalize();
  }

  Network& network() const override { return model_.network(); }
  NamedTensors parameters() const override {
    NamedTensors out = parameters_of(network());
    out.emplace_back("logvar", uncertainty_.weight());
    return out;
  }
  LossClock clock() const override { return {}; }
  TrainingInputs prepare(const TrainingBatch&) const override { return inputs_(); }
  Losses loss(const TrainingInputs& inputs) const override {
    const Tensor &x0 = inputs.drawn[0], &eps = inputs.drawn[1], &sigma = inputs.drawn[2];
    const Tensor loss = uncertainty_.weighted(model_.loss(x0, eps, sigma, {.labels = inputs.labels}), sigma);
    return {.sum = loss.sum(), .images = loss.detach().sum({1, 2, 3}), .clock = sigma};
  }
  void stepped() override {
    stepped_.clear();
    for (const auto& [name, tensor] : parameters()) stepped_.emplace_back(name, tensor.detach().clone());
    network().stepped();
    uncertainty_.normalize();
  }

  const NamedTensors& stepped_weights() const { return stepped_; }

 private:
  DenoisingModel model_;
  Uncertainty uncertainty_;
  std::function<TrainingInputs()> inputs_;
  NamedTensors stepped_;
};

/// "unet.out_gain" of the reference for our "out_gain".
std::string reference_name(const std::string& name) {
  return name == "logvar" ? "logvar_linear.weight" : "unet." + name;
}

/// The steps of one file in one precision; `twin` is the ending of its tensors.
class Replay {
 public:
  Replay(Golden& golden, at::ScalarType dtype)
      : golden_(golden), settings_(golden.settings()), dtype_(dtype), loss_(settings_.value("loss", json::object())) {
    const std::string text = golden.about().at("tolerance");
    loss_tolerance_ = is_double() ? 1e-8 : number_in(text, R"(fp32: loss rel ([0-9.e-]+))");
    norm_tolerance_ = is_double() ? 1e-8 : number_in(text, R"(norms rel ([0-9.e-]+))");
    value_tolerance_ = is_double() ? number_in(text, R"(final weights rel ([0-9.e-]+))") : norm_tolerance_;
    batch_ = settings_.at("batch");
  }

  void run() {
    const auto network = initial_network();
    auto objective =
        std::make_unique<Given>(model(network), head_of(golden_, "init.", dtype_), [this] { return inputs(); });
    const Given& given = *objective;
    const auto widths = settings_.at("ema_stds").get<std::vector<double>>();
    Options none = Options::read_text("{type: none}", "ema");
    Trainer trainer(std::move(objective), initial_network(), make_ema(none), training(widths));
    const auto steps = settings_.at("steps").get<std::int64_t>();
    std::vector<double> losses, rates;
    std::vector<Tensor> norms;
    for (step_ = 0; step_ < steps; ++step_) {
      const StepReport report = trainer.step({.positions = consecutive(trainer.images(), batch_)});
      losses.push_back(report.loss);
      rates.push_back(report.learning_rate);
      norms.push_back(norms_of(given.stepped_weights()));
    }
    golden_.check_each("lr", rates, 1e-12);
    golden_.check_each(is_double() ? "loss.fp64" : "loss", losses, loss_tolerance_);
    check_norms(is_double() ? "param_norms_after_step.fp64" : "param_norms_after_step", at::stack(norms));
    check_values(is_double() ? "final.fp64." : "final.fp32.", "", given.stepped_weights());
    for (std::size_t i = 0; i < widths.size(); ++i)
      if (is_double()) check_values(format("ema{}.", widths[i]), ".fp64", trainer.track(i));
  }

 private:
  bool is_double() const { return dtype_ == at::kDouble; }

  std::shared_ptr<Network> initial_network() {
    auto network = edm2_network(settings_, {"batch", "ema_stds", "img_channels", "img_resolution", "label_dim",
                                            "logvar_channels", "lr", "optimizer", "steps", "loss", "sigma_data"});
    require(settings_.value("dropout", 0.0) == 0.0, "dropout: the reference's random bits are not stored");
    network->to(dtype_);
    NamedTensors state;
    for (const auto& name : golden_.names("init.unet."))
      state.emplace_back(name.substr(10), golden_.use(name).to(dtype_));
    load_state(*network, state, golden_.name());
    return network;
  }

  DenoisingModel model(std::shared_ptr<Network> network) const {
    const double data = settings_.value("sigma_data", loss_.sigma_data);
    return {std::move(network), wrapper("EDMPrecond", {{"sigma_data", data}}), [](const Tensor&) { return Tensor(); }};
  }

  TrainingSettings training(const std::vector<double>& widths) const {
    const json& optimizer = settings_.at("optimizer");
    require_keys(optimizer, {"betas", "eps"});
    TrainingSettings out;
    out.batch_size = batch_;
    out.learning_rate = rate_of(settings_.at("lr"), batch_);
    out.beta1 = optimizer.at("betas")[0];
    out.beta2 = optimizer.at("betas")[1];
    out.eps = optimizer.value("eps", 1e-8);
    out.nonfinite = NonFinite::kZero;
    out.ema_tracks = widths;
    return out;
  }

  TrainingInputs inputs() {
    const auto of_step = [&](const char* name) { return golden_.use(name)[step_].to(dtype_); };
    const Tensor sigma = (of_step("rnd_normal").flatten() * loss_.std + loss_.mean).exp();
    TrainingInputs out{
        .images = {}, .positions = at::arange(batch_), .drawn = {of_step("images"), of_step("noise"), sigma}};
    if (const Tensor labels = of_step("labels"); labels.numel() > 0) out.labels = labels;
    return out;
  }

  static Tensor norms_of(const NamedTensors& weights) {
    std::vector<Tensor> out;
    for (const auto& [name, tensor] : weights) out.push_back(tensor.to(at::kDouble).norm());
    return at::stack(out);
  }

  /// Each parameter by its own largest norm: a gain may pass through zero.
  void check_norms(const std::string& name, const Tensor& ours) {
    const Tensor& reference = golden_.use(name);
    golden_.check(name + " has a column for each parameter", reference.sizes() == ours.sizes());
    for (std::int64_t i = 0; i < ours.size(1); ++i)
      golden_.check_max_of(format("{} of parameter {}", name, i), ours.select(1, i), reference.select(1, i),
                           norm_tolerance_);
  }

  void check_values(const std::string& prefix, const std::string& ending, const NamedTensors& weights) {
    std::map<std::string, Tensor> ours;
    for (const auto& [name, tensor] : weights) ours[reference_name(name)] = tensor;
    for (const auto& name : golden_.names(prefix)) {
      const std::string parameter = name.substr(prefix.size(), name.size() - prefix.size() - ending.size());
      require(ours.contains(parameter), "{}: no parameter of ours", name);
      const Tensor& value = ours[parameter];
      golden_.check_max_of(name, value.flatten(), golden_.use(name).flatten(), value_tolerance_);
    }
  }

  Golden& golden_;
  json settings_;
  at::ScalarType dtype_;
  LossSettings loss_;
  double loss_tolerance_, norm_tolerance_, value_tolerance_;
  std::int64_t batch_ = 0, step_ = 0;
};

}  // namespace

TEST_CASE("EDM2's loss with learned uncertainty and its learning rate are those of NVlabs/edm2", "[training][golden]") {
  for_each_golden({"edm2_loss_"}, check_loss_file);
}

TEST_CASE("training steps of EDM2 are those of NVlabs/edm2, averages included", "[training][golden]") {
  for_each_golden({"training_edm2_"}, [](Golden& golden) {
    for_each_backend([&](const std::string&) { Replay(golden, at::kFloat).run(); });
    Replay(golden, at::kDouble).run();
  });
}
