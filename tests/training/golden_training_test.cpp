// Golden files training_*: training steps of Karras et al. 2022, data and draws stored.
#include "edmund/core/consecutive.h"
#include "edmund/core/error.h"
#include "edmund/diffusion/model.h"
#include "edmund/networks/song_unet.h"
#include "edmund/networks/state_dict.h"
#include "edmund/training/trainer.h"
#include "golden_training_settings.h"
#include "support/catch.h"
#include "support/formula_weights.h"
#include "support/golden.h"
#include "support/kernels.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <functional>
#include <limits>
#include <memory>
#include <utility>

using namespace edmund;
using namespace edmund::testing;
using nlohmann::json;
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// Tolerances of the file's description; those of *.qkv.bias are absolute, in double precision
/// only: its key part has no gradient.
struct Tolerance {
  double loss, norm, gradient, value;
};
constexpr Tolerance kSingle{.loss = 1e-5, .norm = 1e-5, .gradient = 1e-5, .value = 2e-6};
constexpr Tolerance kDouble{.loss = 1e-9, .norm = 1e-9, .gradient = 1e-9, .value = 1e-9};
constexpr double kKeyBias = 5e-3, kKeyBiasNorm = 1e-2;

bool is_key_bias(const std::string& name) { return name.ends_with("qkv.bias"); }

Tensor find(const NamedTensors& tensors, const std::string& name) {
  for (const auto& [key, tensor] : tensors)
    if (key == name) return tensor;
  fail("no tensor {}", name);
}

Tensor norms(const NamedTensors& tensors, const std::vector<std::string>& order) {
  std::vector<double> out;
  for (const auto& name : order)
    out.push_back(at::linalg_vector_norm(find(tensors, name).detach().to(at::kDouble)).item<double>());
  return at::tensor(at::ArrayRef<double>(out));
}

NamedTensors initial_state(Golden& golden, const Network& network) {
  const auto formula = FormulaWeights::from(golden.notes());
  NamedTensors out;
  if (golden.names(kWrapped).empty() && formula) {
    out = state_dict(network);
    for (auto& [name, tensor] : out)
      if (!name.ends_with("resample_filter")) tensor = formula->tensor(kWrapped + name, tensor.sizes());
  }
  for (const auto& name : golden.names(kWrapped)) out.emplace_back(name.substr(kWrapped.size()), golden.use(name));
  return out;
}

/// The denoising loss on stored images, noise and noise levels.
class Given : public Trainable {
 public:
  Given(DenoisingModel model, std::function<TrainingInputs()> inputs)
      : model_(std::move(model)), inputs_(std::move(inputs)) {}

  Network& network() const override { return model_.network(); }
  NamedTensors parameters() const override { return parameters_of(network()); }
  LossClock clock() const override { return {}; }
  TrainingInputs prepare(const TrainingBatch&) const override { return inputs_(); }
  Losses loss(const TrainingInputs& inputs) const override {
    const Tensor &x0 = inputs.drawn[0], &eps = inputs.drawn[1], &sigma = inputs.drawn[2];
    const Tensor loss = model_.loss(x0, eps, sigma, {.labels = inputs.labels});
    return {.sum = loss.sum(), .images = loss.detach().mean({1, 2, 3}), .clock = sigma};
  }

 private:
  DenoisingModel model_;
  std::function<TrainingInputs()> inputs_;
};

/// The steps of one file in one precision.
class Replay {
 public:
  Replay(Golden& golden, const std::string& precision, at::ScalarType dtype)
      : golden_(golden),
        precision_(precision),
        dtype_(dtype),
        tolerance_(dtype == at::kDouble ? kDouble : kSingle),
        loop_(golden.settings().at("loop")),
        loss_(golden.settings()),
        injection_(golden.notes()),
        order_(parameter_order(golden.settings())) {
    require_keys(golden.settings(), {"img_channels", "img_resolution", "label_dim", "loop", "loss", "network",
                                     "optimizer", "parameter_order"});
    require_keys(loop_, {"batch_gpu", "batch_size", "ema_halflife_kimg", "ema_rampup_ratio", "lr_rampup_kimg",
                         "loss_scaling", "resume_kimg"});
    batch_ = loop_.at("batch_size");
    rounds_ = batch_ / loop_.value("batch_gpu", batch_);
  }

  void run() {
    const auto network = model_network();
    Trainer trainer(std::make_unique<Given>(model(network), [this] { return inputs(); }), model_network(), ema(),
                    settings());
    trainer.keep_gradients(true);
    if (const auto resume = static_cast<std::int64_t>(1000 * loop_.value("resume_kimg", 0.0)); resume > 0) {
      Checkpoint start = trainer.checkpoint("");
      start.images = resume;
      trainer.restore(start);
    }
    inject(*network);

    const std::int64_t steps = golden_.use(stored("lr")).numel();
    std::vector<double> rates, losses;
    std::vector<Tensor> gradient_norms, parameter_norms, ema_norms;
    for (step_ = 0; step_ < steps; ++step_) {
      round_ = 0;
      const StepReport report = trainer.step({.positions = consecutive(trainer.images(), batch_)});
      rates.push_back(report.learning_rate);
      for (std::int64_t round = 0; round < rounds_; ++round) losses.push_back(round_loss(report, round));
      gradient_norms.push_back(norms(trainer.last_gradients(), order_));
      parameter_norms.push_back(norms(trainer.weights(false), order_));
      ema_norms.push_back(norms(trainer.weights(true), order_));
      check_gradients(trainer.last_gradients());
    }
    golden_.check_each(stored("lr"), rates, 1e-12);
    golden_.check_each_of(stored("loss_mean_per_round"), at::tensor(at::ArrayRef<double>(losses)),
                          golden_.use(stored("loss_mean_per_round")).reshape(-1), tolerance_.loss);
    check_norms("grad_norm_after_nan_to_num", gradient_norms);
    check_norms("param_norm_after_step", parameter_norms);
    check_norms("ema_norm_after_step", ema_norms);
    check_values("final.", trainer.weights(false));
    check_values("final_ema.", trainer.weights(true));
  }

 private:
  std::string stored(const std::string& name) const { return precision_ + "." + name; }

  std::shared_ptr<SongUNet> model_network() {
    const auto network = std::make_shared<SongUNet>(network_config(golden_.settings()));
    network->to(dtype_);
    load_state(*network, initial_state(golden_, *network), golden_.name());
    return network;
  }

  DenoisingModel model(std::shared_ptr<Network> network) const {
    Options options =
        Options::read_text(json{{"type", "edm"}, {"sigma_data", loss_.sigma_data}}.dump(), "preconditioning");
    Options unit;
    return {std::move(network), make_preconditioning(options), make_loss_weight(unit)};
  }

  EmaDecay ema() const {
    const json ratio = loop_.value("ema_rampup_ratio", json());
    double half_life = 1000 * loop_.at("ema_halflife_kimg").get<double>();
    // min(half-life, 0 · images)
    if (ratio.is_number() && ratio.get<double>() == 0.0) half_life = 0.0;
    Options options =
        Options::read_text(json{{"type", "half_life"}, {"half_life", half_life}, {"ramp", ratio}}.dump(), "ema");
    EmaDecay decay = make_ema(options);
    options.finish();
    return decay;
  }

  TrainingSettings settings() const {
    const json& optimizer = golden_.settings().at("optimizer");
    require_keys(optimizer, {"betas", "eps", "lr"});
    TrainingSettings out;
    out.batch_size = batch_;
    out.micro_batch = loop_.value("batch_gpu", batch_);
    out.learning_rate = {.base = optimizer.at("lr"), .ramp_images = 1000 * loop_.at("lr_rampup_kimg").get<double>()};
    out.beta1 = optimizer.at("betas")[0];
    out.beta2 = optimizer.at("betas")[1];
    out.eps = optimizer.at("eps");
    out.loss_scale = loop_.value("loss_scaling", 1.0);
    out.nonfinite = NonFinite::kZero;
    return out;
  }

  void inject(Network& network) {
    if (injection_.step < 0) return;
    network.named_parameters()[injection_.parameter].register_hook([this](Tensor gradient) {
      if (step_ != injection_.step || ++round_ != rounds_) return gradient;
      Tensor changed = gradient.clone();
      const Tensor flat = changed.view(-1);
      flat[0] = std::numeric_limits<double>::quiet_NaN();
      flat[1] = kInfinity;
      flat[2] = -kInfinity;
      return changed;
    });
  }

  Tensor indices() { return golden_.use("data.order").narrow(0, step_ * batch_, batch_); }

  Tensor images() {
    return golden_.use("data.images_uint8")
        .index_select(0, indices())
        // the reference scales images in float32, in its run in double precision too
        .to(at::kFloat)
        .div(127.5)
        .sub(1.0)
        .to(dtype_);
  }

  TrainingInputs inputs() {
    std::vector<Tensor> normal, eps;
    for (std::int64_t round = 0; round < rounds_; ++round) {
      const std::string number = std::to_string(step_ * rounds_ + round);
      const std::string name = "draw." + std::string(number.size() < 2 ? "0" : "") + number;
      normal.push_back(golden_.use(name + ".rnd_normal").to(dtype_).reshape(-1));
      eps.push_back(golden_.use(name + ".noise").to(dtype_));
    }
    const Tensor sigma = (at::cat(normal) * loss_.std + loss_.mean).exp();
    TrainingInputs out{.images = {}, .positions = at::arange(batch_), .drawn = {images(), at::cat(eps), sigma}};
    const Tensor labels = golden_.use("data.labels").index_select(0, indices());
    if (labels.numel() > 0) out.labels = labels.is_floating_point() ? labels.to(dtype_) : labels;
    return out;
  }

  double round_loss(const StepReport& report, std::int64_t round) const {
    const std::int64_t part = batch_ / rounds_;
    double sum = 0.0;
    for (std::int64_t i = 0; i < part; ++i) sum += report.losses.at(static_cast<std::size_t>(round * part + i));
    return sum / static_cast<double>(part);
  }

  /// Stored gradients of this step; those that were replaced must be exact, and are left out of the
  /// comparison's scale.
  void check_gradients(const NamedTensors& gradients) {
    const std::string prefix = stored("grad_step" + std::to_string(step_) + "." + kWrapped);
    for (const auto& name : golden_.names(prefix)) {
      const std::string parameter = name.substr(prefix.size());
      Tensor ours = find(gradients, parameter).reshape(-1), reference = golden_.use(name).reshape(-1);
      if (step_ == injection_.step && parameter == injection_.parameter) {
        golden_.check_each_of(name + " (replaced)", ours.narrow(0, 0, 3), reference.narrow(0, 0, 3), 0.0);
        ours = ours.narrow(0, 3, ours.numel() - 3);
        reference = reference.narrow(0, 3, reference.numel() - 3);
      }
      golden_.check_max_of(name, ours, reference, tolerance_.gradient);
    }
  }

  void check_norms(const std::string& name, const std::vector<Tensor>& rows) {
    const Tensor ours = at::stack(rows), reference = golden_.use(stored(name));
    golden_.check(name + " has a column for each parameter",
                  reference.size(1) == static_cast<std::int64_t>(order_.size()));
    for (std::int64_t i = 0; i < ours.size(1); ++i) {
      const std::string& parameter = order_[static_cast<std::size_t>(i)];
      const std::string label = stored(name) + " of " + parameter;
      if (!is_key_bias(parameter)) {
        golden_.check_each_of(label, ours.select(1, i), reference.select(1, i), tolerance_.norm);
      } else if (dtype_ == at::kDouble) {
        golden_.check_each_of(label, ours.select(1, i), reference.select(1, i), 0.0, kKeyBiasNorm);
      }
    }
  }

  void check_values(const std::string& group, const NamedTensors& weights) {
    const std::string prefix = stored(group + kWrapped);
    for (const auto& name : golden_.names(prefix)) {
      const std::string parameter = name.substr(prefix.size());
      if (!is_key_bias(parameter)) {
        golden_.check_each(name, find(weights, parameter), 0.0, tolerance_.value);
      } else if (dtype_ == at::kDouble) {
        golden_.check_each(name, find(weights, parameter), 0.0, kKeyBias);
      } else {
        golden_.use(name);
      }
    }
  }

  Golden& golden_;
  std::string precision_;
  at::ScalarType dtype_;
  Tolerance tolerance_;
  json loop_;
  GoldenLoss loss_;
  Injection injection_;
  std::vector<std::string> order_;
  std::int64_t batch_ = 0, rounds_ = 1, step_ = 0, round_ = 0;
};

}  // namespace

TEST_CASE("training steps are those of the reference's loop", "[training][golden]") {
  const auto replay = [](Golden& golden) {
    testing::for_each_backend([&](const std::string&) { Replay(golden, "fp32", at::kFloat).run(); });
    Replay(golden, "fp64", at::kDouble).run();
  };
  for_each_golden({"training_"}, replay, {}, {"training_edm2_"});
}
