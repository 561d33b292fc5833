// A U-Net described by a list of its blocks: what its options mean and which lists are refused.
#include "edmund/networks/block_unet.h"

#include "edmund/core/error.h"
#include "edmund/networks/state_dict.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <map>

using namespace edmund;
using Catch::Matchers::ContainsSubstring;

namespace {

constexpr NetworkContext kContext{.image = {.channels = 3, .height = 8, .width = 16}};

std::shared_ptr<BlockUNet> made(const std::string& yaml, const NetworkContext& context = kContext) {
  Options options = Options::read_text("{type: block_unet, " + yaml + "}", "test");
  const auto network = std::dynamic_pointer_cast<BlockUNet>(make_network(options, context));
  options.finish();
  network->initialize(5);
  return network;
}

Tensor waves(at::IntArrayRef shape) {
  return at::sin(at::arange(c10::multiply_integers(shape), at::kDouble) * 0.7).reshape(shape);
}

constexpr const char* kTwo = "groups: 4, down: [{channels: 8, layers: 1}, {channels: 16, layers: 1}]";

}  // namespace

TEST_CASE("the way up is the mirror of the way down unless it is listed", "[networks]") {
  const auto short_form = made(kTwo);
  const auto long_form = made(
      "groups: 4, down: [{channels: 8, layers: 1, resample: conv}, {channels: 16, layers: 1}], mid: {attention: "
      "first}, "
      "up: [{channels: 16, layers: 2, resample: conv}, {channels: 8, layers: 2}]");
  const auto a = state_dict(*short_form), b = state_dict(*long_form);
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].first == b[i].first);
    CHECK(a[i].second.equal(b[i].second));
  }
  CHECK(short_form->description().size() == 5);
  CHECK(short_form->description()[0] == "down 0: 8×8×16, 1 residual blocks; then halved by a convolution");
  CHECK((BlockUNet::canonical(short_form->config()).up == BlockUNet::canonical(long_form->config()).up));
}

TEST_CASE("without a list the blocks are those of DDPM on CIFAR-10", "[networks]") {
  const NetworkContext cifar{.image = {.channels = 3, .height = 32, .width = 32}};
  // the parameters of google/ddpm-cifar10-32
  CHECK(parameter_count(*made("noise: {order: sin_cos, shift: 1}, eps: 1e-6", cifar)) == 35746307);
}

TEST_CASE("a convolution down has stride 2 and zeros on both sides or at the end", "[networks]") {
  for (const std::string padding : {"both", "end"}) {
    // The residual blocks and the last convolution are silent, so that the last result down is the
    // convolution's of the first one's.
    const auto network =
        made("groups: 4, mid: {layers: 0}, down: [{channels: 8, layers: 1, resample: conv, padding: " + padding +
             "}, {channels: 8, layers: 1}]");
    const at::NoGradGuard no_grad;
    std::map<std::string, Tensor> weights;
    for (const auto& item : network->named_parameters()) weights.emplace(item.key(), item.value());
    for (auto& [name, tensor] : weights)
      if (name.find("conv1.") != std::string::npos) tensor.zero_();
    std::map<std::string, Tensor> parts;
    const Tensor x = waves({2, 3, 8, 16}).to(at::kFloat);
    network->forward(x, at::zeros({2}), {}, [&](const std::string& part, const Tensor& y) { parts[part] = y; });
    const Tensor in = padding == "end" ? at::constant_pad_nd(parts.at("conv_in"), {0, 1, 0, 1}) : parts.at("conv_in");
    const Tensor expected =
        at::conv2d(in, weights.at("down.0.down.weight"), weights.at("down.0.down.bias"), 2, padding == "end" ? 0 : 1);
    CHECK(parts.at("down.0").sizes() == expected.sizes());
    // float32 over 72 products
    CHECK((parts.at("down.0") - expected).abs().max().item<double>() < 1e-5);
  }
}

TEST_CASE("every way to embed noise and classes, every activation, the image's way", "[networks]") {
  const NetworkContext labeled{.image = kContext.image, .num_classes = 5};
  const std::string image =
      "groups: 0, mid: {layers: 0}, down: [{channels: 8, layers: 1, resample: residual, image: true, "
      "filter: [1, 3, 3, 1]}, {channels: 8, layers: 1}]";
  for (const std::string& options :
       {std::string(kTwo) + ", noise: {type: fourier, scale: 2}", std::string(kTwo) + ", noise: {type: table, rows: 4}",
        std::string(kTwo) + ", noise: {channels: 7, shift: 1}", std::string(kTwo) + ", classes: number",
        std::string(kTwo) + ", classes: identity, embedding: 5",
        std::string(kTwo) + ", activation: mish, adaptive: true", std::string(kTwo) + ", activation: gelu",
        std::string(kTwo) + ", activation: relu, dropout: 0.1", std::string(kTwo) + ", input_scale: 2, input_shift: -1",
        image}) {
    INFO(options);
    const auto network = made(options, labeled);
    const Tensor x = waves({2, 3, 8, 16}).to(at::kFloat), t = at::tensor({1.0F, 3.0F});
    const Tensor y = network->forward(x, t, {.labels = at::tensor({1, 3}, at::kLong)});
    CHECK(y.sizes() == x.sizes());
    CHECK(y.isfinite().all().item<bool>());
    CHECK((y - network->forward(x, t, {.labels = at::tensor({2, 3}, at::kLong)}))[0].abs().max().item<double>() > 0);
    y.sum().backward();
    for (const auto& item : network->named_parameters()) {
      INFO(item.key());
      CHECK(item.value().grad().defined());
    }
  }
}

TEST_CASE("lists of blocks that are no network are refused with the block and the reason", "[networks]") {
  const std::pair<std::string, std::string> cases[] = {
      {"groups: 4, down: [{channels: 8}, {channels: 6}]", "block 1: groups: 6 channels do not split into 4"},
      {"groups: 4, down: [{channels: 8, attention: all, heads: 3}, {channels: 8}]", "block 0: heads: 8 channels"},
      {"groups: 4, down: [{channels: 8}, {channels: 8}, {channels: 8}, {channels: 8}, {channels: 8}]",
       "images of 8×16 cannot be halved 4 times"},
      {"groups: 4, down: [{channels: 8}, {channels: 8}], up: [{channels: 8, layers: 9, resample: conv}, {channels: 8}]",
       "finds no result of the way down"},
      {"groups: 4, down: [{channels: 8}, {channels: 8}], up: [{channels: 8, resample: conv}, {channels: 8, layers: 2}]",
       "left over"},
      {"groups: 4, down: [{channels: 8, resample: residual, filter: [1, 2, 1]}, {channels: 8}]", "even number of taps"},
      {"groups: 4, down: [{channels: 8}, {channels: 8, resample: conv, image: true}, {channels: 8}]",
       "block 1 has it, but one before"},
      {"groups: 4, down: [{layers: 2}]", "channels"},
      {"groups: 4, down: [{channels: 8}], activation: mish, dropout: 0.1", "after silu and relu only"},
      {"groups: 4, down: [{channels: 8}], noise: {shift: 4}", "must be below half the channels"},
      {"groups: 4, down: [{channels: 8, chanels: 8}]", "chanels"},
  };
  for (const auto& [yaml, message] : cases) {
    INFO(yaml);
    CHECK_THROWS_WITH(made(yaml), ContainsSubstring(message));
  }
  CHECK_THROWS_WITH(made(std::string(kTwo) + ", classes: identity", {.image = kContext.image, .num_classes = 4}),
                    ContainsSubstring("as wide as the embedding, 32"));
}
