// `adm` beyond what every network must do: its options, and images that are not square.
#include "edmund/core/options.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "support/catch.h"
#include "support/formula_weights.h"
#include "support/kernels.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <map>

using namespace edmund;

namespace {

constexpr NetworkContext kWide{.image = {.channels = 2, .height = 8, .width = 12}, .num_classes = 3};

// A small network with attention, `option` in place of its own.
std::shared_ptr<Network> made(const std::string& option) {
  std::string text = "{type: adm, blocks: 1, attention: [4], channels_per_head: 8, " + option;
  for (const std::string own : {"channels: 16", "multipliers: [1, 2]"})
    if (!option.starts_with(own.substr(0, own.find(' ')))) text += ", " + own;
  Options options = Options::read_text(text + "}", "small.yaml");
  auto network = make_network(options, kWide);
  options.finish();
  const at::NoGradGuard no_grad;
  for (auto& item : network->named_parameters())
    item.value().copy_(testing::FormulaWeights{}.tensor(item.key(), item.value().sizes()));
  return network;
}

std::map<std::string, Tensor> state(const Network& network) {
  const NamedTensors all = state_dict(network);
  return {all.begin(), all.end()};
}

Tensor output(Network& network, const Tensor& x) {
  const at::NoGradGuard no_grad;
  return network.forward(x, at::linspace(-1, 1, x.size(0), at::kFloat), {.labels = at::tensor({0, 2}, at::kLong)});
}

}  // namespace

TEST_CASE("every kind of ADM takes images of any shape, the same on fast kernels", "[networks]") {
  const std::string kinds[] = {"resampling: block",    "resampling: conv", "resampling: pool", "scale_shift: false",
                               "groups: 16",           "labels: mlp",      "heads: 2",         "learned_variance: true",
                               "multipliers: [0.5, 1]"};
  const Tensor x = at::sin(at::arange(2 * 2 * 8 * 12, at::kFloat) * 0.37).reshape({2, 2, 8, 12});
  for (const auto& kind : kinds) {
    INFO(kind);
    const auto network = made(kind);
    const Tensor exact = output(*network, x);
    CHECK(exact.size(1) == (kind == "learned_variance: true" ? 4 : 2));
    CHECK(exact.size(2) == 8);
    CHECK(exact.size(3) == 12);
    testing::for_each_backend([&](const std::string& backend) {
      INFO(backend);
      CHECK((output(*network, x) - exact).abs().max().item<double>() < 1e-4 * exact.abs().max().item<double>());
    });
  }
}

TEST_CASE("ADM's modules between resolutions are those of the option", "[networks]") {
  const auto block = state(*made("resampling: block")), conv = state(*made("resampling: conv")),
             pool = state(*made("resampling: pool"));
  CHECK(block.contains("enc.4x6_down.conv0.weight"));
  CHECK(conv.at("enc.4x6_down.weight").sizes() == at::IntArrayRef({16, 16, 3, 3}));
  CHECK(conv.at("dec.8x12_up.weight").sizes() == at::IntArrayRef({32, 32, 3, 3}));
  CHECK_FALSE(pool.contains("enc.4x6_down.weight"));
  CHECK(state(*made("labels: mlp")).at("map_label0.weight").sizes() == at::IntArrayRef({64, 3}));
  CHECK(state(*made("scale_shift: false")).at("enc.8x12_block0.affine.weight").size(0) == 16);
  CHECK(state(*made("first_multiplier: 2")).at("enc.8x12_conv.weight").size(0) == 32);
}

TEST_CASE("what makes no ADM is refused with the option to blame", "[networks]") {
  const std::pair<std::string, std::string> cases[] = {
      {"multipliers: [1, 2, 2, 2]", "cannot be halved 3 times"},
      {"multipliers: [0.3]", "no whole number of channels"},
      {"multipliers: []", "found none"},
      {"groups: 32", "do not split into 32 equal groups"},
      {"heads: 3", "do not split into 3 heads"},
      {"channels: 15", "even number"},
  };
  for (const auto& [option, expected] : cases) {
    INFO(option);
    CHECK_THROWS_WITH(made(option), Catch::Matchers::ContainsSubstring(expected));
  }
}
