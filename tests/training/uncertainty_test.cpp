#include "objectives/uncertainty.h"

#include "edmund/networks/network.h"
#include "helpers.h"
#include "support/catch.h"
#include "tiny_model.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <cmath>

using namespace edmund;
using namespace edmund::testing;

namespace {

/// A network that always answers 0, whatever its one weight.
class ZeroNetwork : public Network {
 public:
  ZeroNetwork() { weight_ = register_parameter("weight", at::zeros({1})); }
  Tensor forward(const Tensor& x, const Tensor&, const Condition&) override { return x * 0 * weight_; }
  void initialize(std::uint64_t) override {}

 private:
  Tensor weight_;
};

/// Target √σ·ε: the loss of the zero network is σ on average.
DenoisingModel zero_model() {
  Preconditioning rows;
  rows.coefficients = [](const Tensor& sigma) -> Coefficients {
    const Tensor level = sigma.view({-1, 1, 1, 1});
    return {.a = at::zeros_like(level), .b = level.sqrt(), .in = at::ones_like(level), .noise = sigma};
  };
  return {std::make_shared<ZeroNetwork>(), rows, [](const Tensor&) { return Tensor(); }};
}

}  // namespace

TEST_CASE("the uncertainty is 0 at first", "[training]") {
  const Uncertainty uncertainty(3, at::TensorOptions().dtype(at::kFloat));
  CHECK(uncertainty.log_variance(at::full({4}, 0.5)).abs().max().item<double>() == 0.0);
}

TEST_CASE("the uncertainty learns the logarithm of the loss at each noise level", "[training]") {
  // loss/e^u + u is least at u = ln(loss), here ln σ.
  TinySettings settings = tiny_settings();
  settings.batch_size = 64;
  settings.num_classes = 0;
  settings.objective.label_dropout = 0.0;
  settings.objective.reduction = Reduction::kMean;
  settings.objective.uncertainty = true;
  settings.learning_rate = {.base = 5e-2, .ramp_images = 640, .decay_images = 6400};
  const NoiseLevels levels = [](double u) { return std::pow(10.0, 2 * u - 1); };  // 0.1 … 10
  Trainer trainer(tiny_objective(zero_model(), settings, "denoise", levels), zero_model().shared_network(),
                  tiny_ema("{}"), settings);
  train_until(trainer, 64 * 600, 64);

  Uncertainty learned(settings.seed, at::TensorOptions().dtype(at::kFloat));
  const Checkpoint checkpoint = trainer.checkpoint("");
  REQUIRE(checkpoint.optimizer.back().first == "uncertainty.weight");
  learned.weight().set_data(checkpoint.optimizer.back().second);
  for (const double sigma : {0.2, 0.5, 1.0, 2.0, 5.0}) {
    const double u = learned.log_variance(at::full({1}, sigma)).item<double>();
    INFO("sigma " << sigma << ": u = " << u << ", ln(loss) = " << std::log(sigma));
    CHECK(std::abs(u - std::log(sigma)) < 0.15);
  }
  // It is no part of the network.
  CHECK(trainer.weights(false).size() == 1);
  CHECK(checkpoint.ema.size() == 1);
}
