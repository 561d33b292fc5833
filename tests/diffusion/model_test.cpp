#include "edmund/diffusion/model.h"

#include "edmund/networks/song_unet.h"
#include "support/catch.h"
#include "support/oracle.h"

#include <ATen/ATen.h>

using namespace edmund;

namespace {

Preconditioning edm() {
  Options options;
  return make_preconditioning(options);
}

LossWeight unit() {
  Options options;
  return make_loss_weight(options);
}

// F = weight·x + 100 in channels beyond C; remembers what it was given.
class Probe : public Network {
 public:
  Probe(at::ScalarType dtype, std::int64_t times) : times_(times) {
    weight = register_parameter("weight", at::full({1}, 0.5, dtype));
  }
  Tensor forward(const Tensor& x, const Tensor& c_noise, const Condition& condition) override {
    seen = x.scalar_type();
    noise = c_noise;
    labels = condition.labels;
    std::vector<Tensor> parts{weight * x};
    for (std::int64_t i = 1; i < times_; ++i) parts.push_back(weight * x + 100);
    return at::cat(parts, 1);
  }
  void initialize(std::uint64_t) override {}

  Tensor weight, noise, labels;
  at::ScalarType seen = at::kByte;

 private:
  std::int64_t times_;
};

Tensor images(std::int64_t B, at::ScalarType dtype = at::kDouble) {
  return at::sin(at::arange(B * 12, dtype)).reshape({B, 3, 2, 2});
}

}  // namespace

TEST_CASE("D of the exact network is the exact denoiser", "[diffusion]") {
  const auto mixture = testing::Mixture::gaussian(0.3, 0.5, 12);
  const Tensor z = images(4), sigma = at::tensor({0.02, 0.5, 3.0, 60.0}, at::kDouble);
  for (const auto& row : preconditioning_table()) {
    INFO(row.name);
    Options none;
    const auto p = row.make(none);
    const auto oracle = std::make_shared<testing::Oracle>(mixture, p);
    oracle->sigma = sigma;
    const DenoisingModel model(oracle, p, unit());
    // N(m, s²): D = m + s²/(s² + σ²)·(z - m)
    const Tensor expected = 0.3 + 0.25 / (0.25 + sigma.square()).reshape({-1, 1, 1, 1}) * (z - 0.3);
    CHECK((model.denoise(z, sigma, {}) - expected).abs().max().item<double>() < 1e-11);
  }
}

TEST_CASE("D has the type of z, and the network runs in the type of its weights", "[diffusion]") {
  const auto weights = GENERATE(at::kFloat, at::kDouble, at::kBFloat16);
  const auto images_type = GENERATE(at::kFloat, at::kDouble);
  const auto probe = std::make_shared<Probe>(weights, 1);
  const DenoisingModel model(probe, edm(), unit());
  const Tensor D = model.denoise(images(2, images_type), at::ones({2}, images_type), {});
  CHECK(D.scalar_type() == images_type);
  CHECK(probe->seen == weights);
  CHECK(probe->noise.scalar_type() == images_type);
  CHECK(conditioned(model, {})(images(2, images_type), 0.7).scalar_type() == images_type);
}

TEST_CASE("Of twice the channels the first half counts", "[diffusion]") {
  const DenoisingModel one(std::make_shared<Probe>(at::kDouble, 1), edm(), unit()),
      two(std::make_shared<Probe>(at::kDouble, 2), edm(), unit());
  const DenoisingModel three(std::make_shared<Probe>(at::kDouble, 3), edm(), unit());
  const Tensor z = images(2), sigma = at::ones({2}, at::kDouble);
  CHECK(one.denoise(z, sigma, {}).equal(two.denoise(z, sigma, {})));
  CHECK(one.loss(z, z, sigma, {}).equal(two.loss(z, z, sigma, {})));
  CHECK_THROWS(three.denoise(z, sigma, {}));
}

TEST_CASE("The loss is the squared error of F, element by element, and its gradient reaches the weights",
          "[diffusion]") {
  const auto probe = std::make_shared<Probe>(at::kDouble, 1);
  const DenoisingModel model(probe, edm(), unit());
  const Tensor x0 = images(2), eps = x0.cos(), sigma = at::tensor({0.1, 2.0}, at::kDouble);
  const auto c = edm().coefficients(sigma);
  const Tensor z = x0 + sigma.reshape({2, 1, 1, 1}) * eps, error = 0.5 * c.in * z - (c.a * x0 + c.b * eps);
  const Tensor loss = model.loss(x0, eps, sigma, {});
  CHECK((loss - error.square()).abs().max().item<double>() < 1e-14);
  loss.sum().backward();
  CHECK(std::abs(probe->weight.grad().item<double>() - (2 * error * c.in * z).sum().item<double>()) < 1e-12);
}

TEST_CASE("A bound condition reaches the network, without gradients", "[diffusion]") {
  const auto probe = std::make_shared<Probe>(at::kFloat, 1);
  const Tensor labels = at::tensor({3, 1}, at::kLong);
  const Denoiser D = conditioned(DenoisingModel(probe, edm(), unit()), {.labels = labels});
  const Tensor z = images(2, at::kFloat).requires_grad_(), out = D(z, 2.0);
  CHECK(probe->labels.equal(labels));
  CHECK_FALSE(out.requires_grad());
  CHECK(std::abs(probe->noise.item<double>() - std::log(2.0) / 4) < 1e-7);
}

TEST_CASE("Batches that do not fit are refused", "[diffusion]") {
  const DenoisingModel model(std::make_shared<Probe>(at::kDouble, 1), edm(), unit());
  CHECK_THROWS(model.denoise(images(3), at::ones({2}, at::kDouble), {}));
  CHECK_THROWS(model.denoise(images(3).flatten(1), at::ones({3}, at::kDouble), {}));
  CHECK_THROWS(model.loss(images(3), images(3), at::ones({3, 1}, at::kDouble), {}));
}
