#include "edmund/diffusion/loss_weight.h"

#include "edmund/core/error.h"
#include "edmund/diffusion/model.h"
#include "edmund/networks/network.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <cmath>

using namespace edmund;

namespace {

// Some fixed F, whatever it is asked.
class Fixed : public Network {
 public:
  Fixed() { register_parameter("dtype", at::zeros({1}, at::kDouble)); }
  Tensor forward(const Tensor& x, const Tensor&, const Condition&) override {
    return at::sin(at::arange(x.numel(), at::kDouble) * 0.9).reshape(x.sizes());
  }
  void initialize(std::uint64_t) override {}
};

LossWeight weight(const std::string& yaml) {
  Options options = Options::read_text(yaml, "w.yaml");
  auto out = make_loss_weight(options);
  options.finish();
  return out;
}

double at_sigma(const LossWeight& w, double sigma) { return w(at::full({1}, sigma, at::kDouble)).item<double>(); }

bool near(double a, double b) { return std::abs(a - b) <= 1e-14 * std::abs(b); }

Tensor levels() { return at::exp(at::linspace(std::log(0.01), std::log(50.0), 8, at::kDouble)); }

}  // namespace

TEST_CASE("Every weight means the same weight on ‖D - x0‖² under every parameterization", "[diffusion]") {
  const Tensor sigma = levels(), x0 = at::cos(at::arange(8 * 12, at::kDouble)).reshape({8, 3, 2, 2}),
               eps = at::sin(x0 * 17 + 1);
  for (const auto& w : loss_weight_table()) {
    if (w.name == "unit") continue;
    Options none;
    const LossWeight lambda = w.make(none);
    for (const auto& row : preconditioning_table()) {
      INFO(w.name << " on " << row.name);
      const DenoisingModel model(std::make_shared<Fixed>(), row.make(none), lambda);
      const Tensor z = x0 + sigma.reshape({-1, 1, 1, 1}) * eps, D = model.denoise(z, sigma, {});
      const Tensor expected = lambda(sigma).reshape({-1, 1, 1, 1}) * (D - x0).square(),
                   loss = model.loss(x0, eps, sigma, {});
      // D - x0 is a difference of numbers up to 50 where σ is large: relative to the largest error
      // of each image.
      const Tensor scale = expected.flatten(1).amax(1).reshape({-1, 1, 1, 1});
      CHECK(((loss - expected).abs() / scale).max().item<double>() < 1e-11);
    }
  }
}

TEST_CASE("unit is each paper's own loss: the edm weight on edm, 1/σ² on eps and score", "[diffusion]") {
  const Tensor sigma = levels(), x0 = at::cos(at::arange(8 * 12, at::kDouble)).reshape({8, 3, 2, 2}),
               eps = at::sin(x0 * 17 + 1);
  const auto loss = [&](const std::string& row, const std::string& w) {
    Options options = Options::read_text("{type: " + row + "}", "p.yaml");
    return DenoisingModel(std::make_shared<Fixed>(), make_preconditioning(options), weight("{type: " + w + "}"))
        .loss(x0, eps, sigma, {});
  };
  const auto equal = [](const Tensor& a, const Tensor& b) {
    return ((a - b).abs() <= 1e-13 * b.abs()).all().item<bool>();
  };
  CHECK(equal(loss("edm", "unit"), loss("edm", "edm")));
  CHECK(equal(loss("eps", "unit"), loss("eps", "snr")));
  CHECK(equal(loss("score", "unit"), loss("score", "snr")));
  CHECK_FALSE(equal(loss("x0", "unit"), loss("x0", "snr")));
}

TEST_CASE("Weights follow their formulas", "[diffusion]") {
  for (const double sigma : {0.01, 0.4, 1.0, 7.0}) {
    const double snr = 1 / (sigma * sigma);
    CHECK(
        near(at_sigma(weight("{type: edm, sigma_data: 0.3}"), sigma), (sigma * sigma + 0.09) / (sigma * sigma * 0.09)));
    CHECK(near(at_sigma(weight("{type: snr}"), sigma), snr));
    CHECK(near(at_sigma(weight("{type: min_snr, gamma: 3}"), sigma), std::min(snr, 3.0)));
    CHECK(near(at_sigma(weight("{type: sigmoid, bias: -1}"), sigma), snr / (1 + std::exp(1 + std::log(snr)))));
  }
  CHECK_FALSE(weight("{}")(at::ones({1})).defined());
}

TEST_CASE("Wrong weights are named", "[diffusion]") {
  CHECK_THROWS_AS(weight("{type: minsnr}"), Error);
  CHECK_THROWS_AS(weight("{type: min_snr, gamma: 0}"), Error);
  CHECK_THROWS_AS(weight("{type: unit, gamma: 5}"), Error);
}
