#include "networks/small_unet.h"
#include "support/catch.h"
#include "support/state.h"

#include <ATen/ATen.h>
#include <cmath>

using namespace edmund;

namespace {

std::map<std::string, Tensor> state(std::uint64_t seed) {
  SongUNet::Config config = testing::small_unet();
  config.num_classes = 10;
  config.channels = 32;
  config.embedding = SongUNet::Noise::kFourier;
  SongUNet network(config);
  network.initialize(seed);
  return testing::state_of(network);
}

// Uniform on ±bound: all inside, variance bound²/3 within five standard errors (of the mean square:
// var(u²) = 4/45·bound⁴).
void check_uniform(const Tensor& weight, double bound) {
  const double n = static_cast<double>(weight.numel());
  CHECK(weight.abs().max().item<double>() <= bound * (1 + 1e-6));
  CHECK(weight.abs().max().item<double>() > bound * std::pow(1e-6, 1 / n));
  CHECK(std::abs(weight.square().mean().item<double>() - bound * bound / 3) <
        5 * bound * bound * std::sqrt(4.0 / 45 / n));
}

}  // namespace

TEST_CASE("Layers of the same shape start with different weights", "[networks]") {
  const auto s = state(1);
  CHECK_FALSE(s.at("enc.8x8_block0.conv0.weight").equal(s.at("dec.8x8_up.conv1.weight")));
  CHECK_FALSE(s.at("dec.4x4_in0.conv0.weight").equal(s.at("dec.4x4_in1.conv0.weight")));
}

TEST_CASE("Initial weights follow NVlabs/edm's rules for SongUNet", "[networks]") {
  const auto s = state(3);
  check_uniform(s.at("map_layer0.weight"), std::sqrt(6.0 / (32 + 128)));
  check_uniform(s.at("map_label.weight"), std::sqrt(6.0 / (10 + 32)));
  check_uniform(s.at("enc.8x8_conv.weight"), std::sqrt(6.0 / (9 * 3 + 9 * 32)));
  check_uniform(s.at("enc.4x4_block0.conv0.weight"), std::sqrt(6.0 / (9 * 32 + 9 * 64)));
  check_uniform(s.at("enc.4x4_block0.conv1.weight"), 1e-5 * std::sqrt(6.0 / (9 * 64 + 9 * 64)));
  check_uniform(s.at("enc.4x4_block0.proj.weight"), 1e-5 * std::sqrt(6.0 / (64 + 64)));
  check_uniform(s.at("enc.4x4_block0.qkv.weight"), std::sqrt(0.2) * std::sqrt(6.0 / (64 + 192)));
  check_uniform(s.at("dec.8x8_aux_conv.weight"), 1e-5 * std::sqrt(6.0 / (9 * 32 + 9 * 3)));
  for (const auto& [name, tensor] : s) {
    if (name.ends_with("bias")) CHECK(tensor.abs().max().item<double>() == 0.0);
    if (name.find("norm") != std::string::npos && name.ends_with("weight")) CHECK(tensor.equal(at::ones_like(tensor)));
  }
  const Tensor f = s.at("map_noise.freqs");
  // variance 16², 16 draws
  CHECK(std::abs(f.square().mean().item<double>() / 256 - 1) < 5 * std::sqrt(2.0 / 16));
}

TEST_CASE("Each distribution of initial weights has the stated variance", "[networks]") {
  const std::int64_t in = 200, out = 100;
  const auto variance = [&](Draw draw) {
    Linear layer(in, out, {.draw = draw, .weight = 2.0, .bias = 1.0});
    WeightSource source(5);
    layer.initialize(source);
    return layer.parameters()[0].square().mean().item<double>() / 4;
  };
  const double error = 5 * std::sqrt(2.0 / (in * out));
  CHECK(std::abs(variance(Draw::kXavierUniform) * (in + out) / 2 - 1) < error);
  CHECK(std::abs(variance(Draw::kXavierNormal) * (in + out) / 2 - 1) < error);
  CHECK(std::abs(variance(Draw::kKaimingUniform) * in - 1) < error);
  CHECK(std::abs(variance(Draw::kKaimingNormal) * in - 1) < error);
}
