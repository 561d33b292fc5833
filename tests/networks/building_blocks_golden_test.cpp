#include "edmund/core/error.h"
#include "edmund/networks/layers.h"
#include "edmund/networks/state_dict.h"
#include "edmund/networks/unet_block.h"
#include "support/catch.h"
#include "support/device.h"
#include "support/golden.h"
#include "support/kernels.h"
#include "support/state.h"

#include <ATen/ATen.h>

using namespace edmund;
using testing::Golden;

namespace {

std::vector<double> filter_of(const nlohmann::json& settings) {
  return settings.value("resample_filter", std::vector<double>{1, 1});
}

void require_known(const nlohmann::json& settings, const std::vector<std::string>& known) {
  for (const auto& [key, value] : settings.items())
    require(std::find(known.begin(), known.end(), key) != known.end(), "no option here for the setting '{}'", key);
}

UNetBlock::Config block_config(const nlohmann::json& s) {
  require_known(
      s, {"in_channels", "out_channels", "emb_channels", "up", "down", "attention", "num_heads", "channels_per_head",
          "dropout", "skip_scale", "eps", "resample_filter", "resample_proj", "adaptive_scale"});
  UNetBlock::Config c{.in = s.at("in_channels"), .out = s.at("out_channels"), .embedding = s.at("emb_channels")};
  c.up = s.value("up", c.up);
  c.down = s.value("down", c.down);
  c.attention = s.value("attention", c.attention);
  if (s.contains("num_heads") && !s.at("num_heads").is_null()) c.heads = s.at("num_heads").get<std::int64_t>();
  c.channels_per_head = s.value("channels_per_head", c.channels_per_head);
  c.dropout = s.value("dropout", c.dropout);
  c.skip_scale = s.value("skip_scale", c.skip_scale);
  c.eps = s.value("eps", c.eps);
  c.resample_filter = filter_of(s);
  c.resample_projection = s.value("resample_proj", c.resample_projection);
  c.adaptive_scale = s.value("adaptive_scale", c.adaptive_scale);
  return c;
}

void check_block(Golden& golden, const std::string& name, double tolerance) {
  const std::string prefix = "unetblock." + name + ".";
  UNetBlock block(block_config(golden.settings(name)));
  testing::load_state(block, golden, prefix + "state.");
  const at::Device device = testing::TestDevice::current();
  block.to(device);
  const Tensor x = golden.use(prefix + "x").to(device).clone().requires_grad_();
  const Tensor out = block.forward(x, golden.use(prefix + "emb").to(device));
  golden.check_max(prefix + "out", out, tolerance);
  out.square().sum().backward();
  golden.check_max(prefix + "grad_x_of_sum_sq", x.grad(), tolerance);
}

void check_conv(Golden& golden, const std::string& name, double tolerance) {
  const std::string prefix = "conv2d." + name + ".";
  const auto s = golden.settings(name);
  require_known(s, {"kernel", "bias", "up", "down", "resample_filter", "fused_resample"});
  const Tensor x = golden.use(prefix + "x");
  Conv2d conv({.in = x.size(1),
               .out = golden.use(prefix + "out").size(1),
               .kernel = s.at("kernel"),
               .up = s.value("up", false),
               .down = s.value("down", false),
               .resample_filter = filter_of(s),
               .fused_resample = s.value("fused_resample", false),
               .bias = s.value("bias", true)});
  testing::load_state(conv, golden, prefix + "state.");
  const at::Device device = testing::TestDevice::current();
  conv.to(device);
  golden.check_max(prefix + "out", conv.forward(x.to(device)), tolerance);
}

void check_norm(Golden& golden, const std::string& name, double tolerance) {
  const std::string prefix = "groupnorm." + name + ".";
  const Tensor x = golden.use(prefix + "x");
  golden.check(prefix + "num_groups",
               GroupNorm::groups(x.size(1)) == static_cast<std::int64_t>(golden.number(prefix + "num_groups")));
  const at::Device device = testing::TestDevice::current();
  GroupNorm norm(x.size(1), 1e-5);
  norm.to(device);
  golden.check_max(prefix + "out", norm.forward(x.to(device), {.silu = false}), tolerance);
}

void check_embedding(Golden& golden, const std::string& name, double tolerance) {
  const at::Device device = testing::TestDevice::current();
  if (name.starts_with("embedding.positional.endpoint")) {
    const auto rest = name.substr(std::string("embedding.positional.endpoint").size());  // "1.c32"
    const PositionalEmbedding embedding(std::stoll(rest.substr(3)), rest[0] == '1');
    golden.check_max(name, embedding.forward(golden.use("embedding.t").to(device)), tolerance);
  } else if (name.starts_with("embedding.fourier.c")) {
    FourierEmbedding embedding(std::stoll(name.substr(std::string("embedding.fourier.c").size())));
    testing::state_of(embedding).at("freqs").copy_(golden.use("embedding.fourier.freqs"));
    embedding.to(device);
    golden.check_max(name, embedding.forward(golden.use("embedding.fourier.t").to(device)), tolerance);
  }
}

}  // namespace

TEST_CASE("Blocks, convolutions, norms and embeddings equal NVlabs/edm's", "[networks][golden]") {
  const testing::TestDevice device;
  testing::for_each_golden({"network_building_blocks_"}, [](Golden& golden) {
    // On a GPU cuDNN may convolve by Winograd's algorithm, which loses a digit.
    const double tolerance = testing::number_in(golden.about().at("tolerance"), "<= ([0-9.e-]+)") *
                             (testing::TestDevice::current().is_cuda() ? 10 : 1);
    const auto blocks = golden.parts("unetblock."), convs = golden.parts("conv2d.");
    for (const auto& [name, settings] : golden.settings().items())
      require(std::count(blocks.begin(), blocks.end(), name) + std::count(convs.begin(), convs.end(), name) == 1,
              "case '{}' is of an unknown kind", name);
    testing::for_each_backend([&](const std::string& backend) {
      INFO("backend " << backend);
      for (const auto& name : blocks) check_block(golden, name, tolerance);
      for (const auto& name : convs) check_conv(golden, name, tolerance);
      for (const auto& name : golden.parts("groupnorm.")) check_norm(golden, name, tolerance);
      for (const auto& name : golden.names("embedding.")) check_embedding(golden, name, tolerance);
    });
  });
}
