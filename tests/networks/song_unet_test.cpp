#include "edmund/networks/song_unet.h"

#include "edmund/core/error.h"
#include "networks/small_unet.h"
#include "support/catch.h"
#include "support/formula_weights.h"
#include "support/kernels.h"
#include "support/state.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>

using namespace edmund;
using edmund::testing::small_unet;

namespace {

// All layers far from zero, so that everything matters.
std::shared_ptr<SongUNet> build(const SongUNet::Config& config, at::ScalarType dtype = at::kDouble) {
  const at::NoGradGuard no_grad;
  auto network = std::make_shared<SongUNet>(config);
  for (auto& [name, tensor] : testing::state_of(*network))
    if (!name.ends_with("resample_filter")) tensor.copy_(testing::FormulaWeights{}.tensor(name, tensor.sizes()));
  network->to(dtype);
  return network;
}

Tensor images(std::int64_t B, std::int64_t C = 3, std::int64_t R = 8) {
  return at::sin(at::arange(B * C * R * R, at::kDouble) * 0.37).reshape({B, C, R, R});
}
Tensor levels(std::int64_t B) { return at::linspace(-1, 1, B, at::kDouble); }
Tensor classes(const std::vector<std::int64_t>& values) { return at::tensor(values, at::kLong); }

double gap(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace

TEST_CASE("Every encoder, decoder and embedding gives images of the input's shape, and gradients to all weights",
          "[networks]") {
  auto config = small_unet();
  config.encoder = GENERATE(SongUNet::Encoder::kStandard, SongUNet::Encoder::kSkip, SongUNet::Encoder::kResidual);
  config.decoder = GENERATE(SongUNet::Decoder::kStandard, SongUNet::Decoder::kSkip);
  config.embedding = GENERATE(SongUNet::Noise::kPositional, SongUNet::Noise::kFourier);
  const auto network = build(config);
  const Tensor x = images(2), y = network->forward(
                                  x, levels(2), {.labels = classes({0, 3}), .augment = at::ones({2, 2}, at::kDouble)});
  CHECK(y.sizes() == x.sizes());
  y.square().sum().backward();
  for (const auto& item : network->named_parameters()) {
    INFO(item.key());
    REQUIRE(item.value().grad().defined());
    CHECK(item.value().grad().abs().max().item<double>() > 0);
  }
}

TEST_CASE("The order of parameters is that of NVlabs/edm's state dicts", "[networks]") {
  std::vector<std::string> names;
  for (const auto& item : build(small_unet())->named_parameters()) names.push_back(item.key());
  const auto place = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) - names.begin();
  };
  const std::vector<std::string> order{
      "map_label.weight",          "map_augment.weight",         "map_layer0.weight",
      "map_layer1.weight",         "enc.8x8_conv.weight",        "enc.8x8_block0.norm0.weight",
      "enc.4x4_down.conv0.weight", "enc.4x4_down.affine.weight", "enc.4x4_down.norm1.weight",
      "enc.4x4_down.conv1.weight", "enc.4x4_down.skip.weight",   "enc.4x4_block0.norm2.weight",
      "enc.4x4_block0.qkv.weight", "enc.4x4_block0.proj.weight", "dec.4x4_in0.norm0.weight",
      "dec.8x8_aux_norm.weight",   "dec.8x8_aux_conv.weight"};
  for (std::size_t i = 0; i < order.size(); ++i) {
    INFO(order[i]);
    REQUIRE(place(order[i]) < static_cast<std::int64_t>(names.size()));
    if (i > 0) CHECK(place(order[i - 1]) < place(order[i]));
  }
}

TEST_CASE("Class numbers, one-hot rows, 'no class' and missing labels agree", "[networks]") {
  const auto network = build(small_unet());
  const Tensor x = images(3), c = levels(3);
  const Tensor numbers = network->forward(x, c, {.labels = classes({2, 4, 0})});
  Tensor rows = at::zeros({3, 4}, at::kDouble);
  rows[0][2] = 1, rows[2][0] = 1;
  CHECK(numbers.equal(network->forward(x, c, {.labels = rows})));
  const Tensor none = network->forward(x, c, {});
  CHECK(none.equal(network->forward(x, c, {.labels = classes({4, 4, 4})})));
  CHECK(gap(none[1], numbers[1]) < 1e-12);
  CHECK(gap(none[0], numbers[0]) > 1e-3);
  CHECK_THROWS(network->forward(x, c, {.labels = classes({0, 5, 0})}));
  CHECK_THROWS(network->forward(x, c, {.labels = classes({0, 1})}));
  CHECK_THROWS(network->forward(x, c, {.labels = at::zeros({3, 5}, at::kDouble)}));
}

TEST_CASE("Missing augment labels are zeros", "[networks]") {
  const auto network = build(small_unet());
  const Tensor x = images(2), c = levels(2), none = network->forward(x, c, {});
  CHECK(none.equal(network->forward(x, c, {.augment = at::zeros({2, 2}, at::kDouble)})));
  CHECK(gap(none, network->forward(x, c, {.augment = at::ones({2, 2}, at::kDouble)})) > 1e-3);
}

TEST_CASE("An image's result does not depend on its batch, with or without dropout", "[networks]") {
  const auto network = build(small_unet());
  const Tensor x = images(4), c = levels(4), labels = classes({0, 1, 2, 4});
  const ops::DropoutKey key{.seed = 3, .samples = {10, 11, 12, 13}};
  const Tensor plain = network->forward(x, c, {.labels = labels}),
               dropped = network->forward(x, c, {.labels = labels, .dropout = &key});
  CHECK(gap(plain, dropped) > 1e-3);
  for (std::int64_t i = 0; i < 4; ++i) {
    const ops::DropoutKey one{.seed = 3, .samples = {10 + i}};
    const Tensor xi = x.narrow(0, i, 1), ci = c.narrow(0, i, 1), li = labels.narrow(0, i, 1);
    CHECK(gap(network->forward(xi, ci, {.labels = li}), plain.narrow(0, i, 1)) < 1e-12);
    CHECK(gap(network->forward(xi, ci, {.labels = li, .dropout = &one}), dropped.narrow(0, i, 1)) < 1e-12);
  }
}

TEST_CASE("One noise level serves a whole batch", "[networks]") {
  const auto network = build(small_unet());
  const Tensor x = images(3), one = at::full({1}, 0.4, at::kDouble);
  CHECK(gap(network->forward(x, one, {}), network->forward(x, one.expand({3}), {})) < 1e-12);
}

TEST_CASE("Single and half precision stay near double precision", "[networks]") {
  const Tensor x = images(2), c = levels(2), exact = build(small_unet())->forward(x, c, {});
  const double scale = exact.abs().max().item<double>();
  const Tensor single = build(small_unet(), at::kFloat)->forward(x.to(at::kFloat), c.to(at::kFloat), {});
  CHECK(single.scalar_type() == at::kFloat);
  CHECK(gap(single.to(at::kDouble), exact) < 1e-4 * scale);
  const Tensor half = build(small_unet(), at::kBFloat16)->forward(x.to(at::kBFloat16), c.to(at::kFloat), {});
  CHECK(half.scalar_type() == at::kBFloat16);
  CHECK(gap(half.to(at::kDouble), exact) < 0.2 * scale);  // 8 bits through some thirty layers
}

TEST_CASE("Images of another shape are refused", "[networks]") {
  const auto network = build(small_unet());
  CHECK_THROWS(network->forward(images(2, 1), levels(2), {}));
  CHECK_THROWS(network->forward(images(2, 3, 16), levels(2), {}));
  auto config = small_unet();
  config.resolution = 6;
  config.multipliers = {1, 1, 1};
  CHECK_THROWS_AS(SongUNet(config), Error);
}

TEST_CASE("A whole network in float32 is near its values in double precision, whatever the kernels", "[networks]") {
  auto config = small_unet();
  config.resolution = GENERATE(8, 14);  // tiles of 4×4 pixels overhang at 14 and 7
  config.attention = {config.resolution / 2};
  config.channels = GENERATE(16, 24);
  const std::int64_t B = GENERATE(1, 3);
  const auto exact = build(config, at::kFloat), single = build(config, at::kFloat);
  exact->to(at::kDouble);  // the very weights
  const ops::DropoutKey key{.seed = 3, .samples = {4, 5, 6}};
  const ops::DropoutKey rows{.seed = key.seed, .samples = {key.samples.begin(), key.samples.begin() + B}};
  const Condition condition{
      .labels = classes({0, 3, 1}).narrow(0, 0, B), .augment = torch::ones({B, 2}, at::kDouble), .dropout = &rows};
  const Tensor x = images(B, 3, config.resolution), weight = torch::cos(x * 5);
  const auto run = [&](SongUNet& network, at::ScalarType dtype) {
    network.zero_grad();
    const Tensor y = network.forward(x.to(dtype), levels(B), condition);
    (y * weight.to(dtype)).sum().backward();
    std::vector<Tensor> out{y.detach().to(at::kDouble)};
    for (const auto& parameter : network.parameters()) out.push_back(parameter.grad().to(at::kDouble));
    return out;
  };
  const auto truth = run(*exact, at::kDouble);
  testing::for_each_backend([&](const std::string& backend) {
    INFO(backend << ", " << config.resolution << " pixels, " << config.channels << " channels, batch " << B);
    const auto found = run(*single, at::kFloat);
    const bool winograd = backend == "winograd";
    CHECK(gap(found[0], truth[0]) < (winograd ? 2e-5 : 5e-6) * truth[0].abs().max().item<double>());
    for (std::size_t i = 1; i < found.size(); ++i)
      CHECK((found[i] - truth[i]).norm().item<double>() < 1e-4 * truth[i].norm().item<double>());
  });
}
