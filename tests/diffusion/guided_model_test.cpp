// One network under two conditions in one batch, and D with gradients.
#include "edmund/core/error.h"
#include "edmund/diffusion/model.h"
#include "edmund/networks/network.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

using namespace edmund;

namespace {

// F = w(label)·sin(x): nonlinear, and another one for each class. Counts its calls.
class Classes : public Network {
 public:
  Classes() { weight = register_parameter("weight", at::tensor({0.5, -1.0, 2.0, 0.25}, at::kDouble)); }
  Tensor forward(const Tensor& x, const Tensor&, const Condition& condition) override {
    ++calls;
    return weight.index({condition.labels}).reshape({-1, 1, 1, 1}) * x.sin();
  }
  void initialize(std::uint64_t) override {}

  Tensor weight;
  int calls = 0;
};

struct Setup {
  Setup() {
    Options none;
    model = std::make_unique<DenoisingModel>(network, make_preconditioning(none), make_loss_weight(none));
  }
  std::shared_ptr<Classes> network = std::make_shared<Classes>();
  std::unique_ptr<DenoisingModel> model;
  Tensor z = at::linspace(-2, 2, 24, at::kDouble).reshape({2, 3, 2, 2});
  Condition c{.labels = at::tensor({0, 1})}, u{.labels = at::tensor({3, 3})};
};

}  // namespace

TEST_CASE("both conditions in one batch are the two calls of guided", "[diffusion]") {
  const Setup s;
  for (const double w : {0.0, 1.0, 3.0}) {
    const Tensor apart = guided(conditioned(*s.model, s.c), conditioned(*s.model, s.u), w)(s.z, 0.7);
    const int before = s.network->calls;
    const Tensor together = guided(*s.model, s.c, s.u, w)(s.z, 0.7);
    CHECK(s.network->calls == before + 1);
    CHECK((together - apart).abs().max().item<double>() < 1e-14);
  }
}

TEST_CASE("a differentiable denoiser gives the slope of D, also where gradients are off", "[diffusion]") {
  const Setup s;
  const Tensor v = at::cos(at::arange(24, at::kDouble)).reshape(s.z.sizes());
  const Denoiser D = differentiable(*s.model, s.c);
  const at::NoGradGuard no_grad;
  const Tensor z = s.z.clone().requires_grad_(true);
  const Tensor slope = torch::autograd::grad({D(z, 0.7)}, {z}, {v})[0];
  const Tensor apart = s.z + 1e-5 * v, back = s.z - 1e-5 * v;
  const double along = (slope * v).sum().item<double>(),
               difference = ((D(apart, 0.7) - D(back, 0.7)) * v).sum().item<double>() / 2e-5;
  CHECK(std::abs(along - difference) < 1e-8 * std::abs(along));
  CHECK(D(s.z, 0.7).equal(conditioned(*s.model, s.c)(s.z, 0.7)));
  CHECK(!conditioned(*s.model, s.c)(z, 0.7).requires_grad());
}

TEST_CASE("a differentiable denoiser refuses inference mode", "[diffusion]") {
  const Setup s;
  const c10::InferenceMode inference;
  CHECK_THROWS_AS(differentiable(*s.model, s.c)(s.z, 0.7), Error);
}
