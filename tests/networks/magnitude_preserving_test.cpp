#include "edmund/networks/magnitude_preserving.h"

#include "edmund/core/error.h"
#include "edmund/networks/network.h"
#include "edmund/ops/magnitude.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/kernels.h"
#include "support/state.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>
#include <string>
#include <vector>

using namespace edmund;
using testing::Golden;

namespace {

// One precision of the file of functions: `twin` is what the names of its references end in.
class Functions {
 public:
  Functions(Golden& golden, at::ScalarType dtype, std::string twin) : golden_(golden), dtype_(dtype), twin_(twin) {
    const std::string text = golden.about().at("tolerance");
    const double exact = testing::number_in(text, R"(fp64 build vs `\.fp64`: ([0-9.e-]+))");
    out_ = twin.empty() ? testing::number_in(text, R"(<= ([0-9.e-]+) \(outputs\))") : exact;
    gradient_ = twin.empty() ? testing::number_in(text, R"(([0-9.e-]+) \(gradients\))") : exact;
    require(golden.settings().at("eps") == 1e-4, "eps is another one");
  }

  void all() {
    for (const auto& whole : golden_.names()) {
      if (whole.ends_with(".fp64") == twin_.empty()) continue;
      const auto name = whole.substr(0, whole.size() - twin_.size());
      if (name == "normalize.dim1") check(name, ops::normalized(get("x"), {1}));
      if (name == "normalize.all_but_first") check(name, ops::normalized_filters(get("x")));
      if (name == "mp_silu") check(name, ops::mp_silu(get("x")));
      if (name.starts_with("mp_sum.t")) check(name, ops::mp_sum(get("x"), get("y"), std::stod(name.substr(8))));
      if (name.starts_with("mp_cat.t")) check(name, ops::mp_concat(get("x"), get("z"), std::stod(name.substr(8))));
      if (name.starts_with("resample.")) resample(name);
    }
    fourier();
    for (const auto& name : golden_.parts("mp_conv.")) conv(name);
  }

 private:
  Tensor get(const std::string& name) { return golden_.use(name).to(dtype_); }
  void check(const std::string& name, const Tensor& ours) {
    if (golden_.has(name + twin_)) golden_.check_max(name + twin_, ours, out_);
  }

  // resample.DIRECTION.fTAPS, a digit for each tap
  void resample(const std::string& name) {
    const bool up = name.starts_with("resample.up.f");
    require(up || name.starts_with("resample.down.f"), "unknown direction in '{}'", name);
    std::vector<double> taps;
    for (const char digit : name.substr(name.rfind('f') + 1)) taps.push_back(digit - '0');
    check(name, ops::resample(get("x"), up ? ops::Resample::kUp : ops::Resample::kDown, taps));
  }

  void fourier() {
    MPFourier embedding(golden_.use("mp_fourier.freqs").size(0));
    auto state = testing::state_of(embedding);
    for (const auto* name : {"freqs", "phases"}) state.at(name).copy_(golden_.use(std::string("mp_fourier.") + name));
    embedding.to(dtype_);
    check("mp_fourier.out", embedding.forward(get("mp_fourier.x")));
  }

  void conv(const std::string& name) {
    const std::string prefix = "mp_conv." + name + ".", train = prefix + "train.";
    const Tensor weight = golden_.use(prefix + "weight");
    MPConv layer(weight.size(1), weight.size(0), weight.dim() > 2 ? weight.size(2) : 0);
    {
      const at::NoGradGuard no_grad;
      testing::state_of(layer).at("weight").copy_(weight);
    }
    layer.to(dtype_);
    const Tensor whole = get("x"), x = (weight.dim() > 2 ? whole : whole.select(3, 1).select(2, 1)).contiguous();
    const Tensor input = x.clone().requires_grad_(), gain = get(prefix + "gain").clone().requires_grad_();
    check(prefix + "out_eval", layer.forward(x, gain));
    layer.normalize();
    check(train + "weight_after_call", layer.weight());
    const Tensor out = layer.forward(input, gain);
    check(train + "out", out);
    (out * get(prefix + "grad_w")).sum().backward();
    golden_.check_max(train + "grad_weight" + twin_, layer.weight().grad(), gradient_);
    golden_.check_max(train + "grad_x" + twin_, input.grad(), gradient_);
    golden_.check_max(train + "grad_gain" + twin_, gain.grad(), gradient_);
  }

  Golden& golden_;
  at::ScalarType dtype_;
  std::string twin_;
  double out_ = 0.0, gradient_ = 0.0;
};

}  // namespace

TEST_CASE("EDM2's functions and its convolution equal NVlabs/edm2's", "[networks][golden]") {
  testing::for_each_golden({"edm2_functions_"}, [](Golden& golden) {
    Functions(golden, at::kDouble, ".fp64").all();
    testing::for_each_backend([&](const std::string& backend) {
      INFO("backend " << backend);
      Functions(golden, at::kFloat, "").all();
    });
  });
}

TEST_CASE("Dropout of magnitude-preserving blocks is a function of seed, image and layer", "[networks]") {
  const Tensor x = at::ones({3, 8, 16, 16});
  const ops::DropoutKey key{.seed = 3, .samples = {10, 11, 12}}, one{.seed = 3, .samples = {11}},
      moved{.seed = 3, .positions = at::tensor({10, 11, 12}, at::kLong)};
  const Tensor y = ops::dropout(x, 0.3, &key, 2);
  CHECK(y.equal(ops::dropout(x, 0.3, &moved, 2)));
  CHECK(y.narrow(0, 1, 1).equal(ops::dropout(x.narrow(0, 1, 1), 0.3, &one, 2)));
  CHECK_FALSE(y.equal(ops::dropout(x, 0.3, &key, 1)));
  CHECK(ops::dropout(x, 0.3, nullptr, 2).equal(x));
  CHECK(ops::dropout(x, 0.0, &key, 2).equal(x));
  CHECK_THROWS(ops::dropout(x, 0.3, &one, 2));
  // Zeros, or 1/0.7, whose share has the standard error √(0.3·0.7/6144).
  CHECK(((y == 0).logical_or((y - 1 / 0.7).abs() < 1e-6)).all().item<bool>());
  CHECK(std::abs((y == 0).to(at::kDouble).mean().item<double>() - 0.3) < 5 * std::sqrt(0.21 / 6144));
}

TEST_CASE("Filters are normalized to unit magnitude, and again with little effect", "[networks]") {
  const at::NoGradGuard no_grad;
  MPConv layer(6, 4, 3);
  layer.to(at::kDouble);
  const Tensor weight = testing::state_of(layer).at("weight");
  weight.copy_(at::sin(at::arange(weight.numel(), at::kDouble)).reshape(weight.sizes()));
  const auto magnitude = [&] { return weight.square().mean({1, 2, 3}).sqrt(); };
  const Tensor n = magnitude();
  layer.normalize();
  CHECK((magnitude() - n / (n + 1e-4)).abs().max().item<double>() < 1e-12);
  const Tensor once = weight.clone();
  layer.normalize();
  // The magnitude was 1 - 1e-4/n and becomes 1 - 1e-4, up to terms of 1e-8.
  const double bound = (1e-4 * (1 / n - 1).abs().max().item<double>() + 1e-7) * once.abs().max().item<double>();
  CHECK((weight - once).abs().max().item<double>() < bound);
}

TEST_CASE("A step of training leaves edm2's filters at unit magnitude", "[networks]") {
  Options options = Options::read_text("{type: edm2, channels: 16, multipliers: [1, 2], blocks: 1}", "test");
  const auto network = make_network(options, {.image = {.channels = 3, .height = 8, .width = 8}});
  network->initialize(1);
  {
    const at::NoGradGuard no_grad;
    for (auto& parameter : network->parameters()) parameter.mul_(3.0).add_(0.1);
  }
  network->stepped();
  for (const auto& item : network->named_parameters()) {
    if (item.value().dim() == 0) continue;  // gains are free
    INFO(item.key());
    const Tensor filters = item.value().detach().flatten(1);
    CHECK((filters.square().mean(1).sqrt() - 1).abs().max().item<double>() < 1e-3);
  }
}
