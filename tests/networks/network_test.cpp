// What every network of the table must do: a new row is tested by these cases without further ado.
#include "edmund/networks/network.h"

#include "edmund/networks/state_dict.h"
#include "support/catch.h"
#include "support/formula_weights.h"
#include "support/kernels.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

using namespace edmund;

namespace {

constexpr NetworkContext kLabeled{.image = {.channels = 3, .height = 8, .width = 8}, .num_classes = 4};
constexpr NetworkContext kUnlabeled{.image = {.channels = 1, .height = 8, .width = 8}};

// All but those that need a file.
std::vector<NetworkEntry> trainable() {
  std::vector<NetworkEntry> out(network_table().begin(), network_table().end());
  std::erase_if(out, [](const NetworkEntry& entry) { return entry.small.empty(); });
  return out;
}

std::shared_ptr<Network> small(const NetworkEntry& entry, const NetworkContext& context, std::uint64_t seed = 1) {
  Options options = Options::read_text(std::string(entry.small), "small.yaml");
  auto network = entry.make(options, context);
  options.finish();
  network->initialize(seed);
  return network;
}

// All parameters far from zero, so that everything matters.
std::shared_ptr<Network> lively(const NetworkEntry& entry, const NetworkContext& context) {
  const at::NoGradGuard no_grad;
  auto network = small(entry, context);
  for (auto& item : network->named_parameters())
    item.value().copy_(testing::FormulaWeights{}.tensor(item.key(), item.value().sizes()));
  return network;
}

Tensor images(const NetworkContext& context, std::int64_t B) {
  const auto& [C, H, W] = context.image;
  return at::sin(at::arange(B * C * H * W, at::kDouble) * 0.37).reshape({B, C, H, W}).to(at::kFloat);
}
Tensor levels(std::int64_t B) { return at::linspace(-1, 1, B, at::kFloat); }
Tensor classes(const std::vector<std::int64_t>& values) { return at::tensor(values, at::kLong); }
double gap(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

// The result, then the gradient of each parameter for a weighted sum of it.
NamedTensors result_and_gradients(Network& network, const Tensor& x, const Condition& condition) {
  network.zero_grad();
  const Tensor y = network.forward(x, levels(x.size(0)), condition);
  (y * at::cos(y.detach() * 5)).sum().backward();
  NamedTensors out{{"result", y.detach()}};
  for (const auto& item : network.named_parameters()) {
    INFO(item.key());
    REQUIRE(item.value().grad().defined());
    out.emplace_back(item.key(), item.value().grad().clone());
  }
  return out;
}

}  // namespace

TEST_CASE("Every network states what it is and where it comes from", "[networks]") {
  for (const auto& entry : network_table()) {
    INFO(entry.name);
    CHECK(!entry.about.empty());
    CHECK(!entry.source.empty());
  }
}

TEST_CASE("Every network keeps the shape of images, with classes and without", "[networks]") {
  for (const auto& entry : trainable())
    for (const NetworkContext& context : {kLabeled, kUnlabeled}) {
      INFO(entry.name << ", " << context.num_classes << " classes");
      const auto network = small(entry, context);
      const Tensor x = images(context, 3);
      const Condition condition{.labels = context.num_classes > 0 ? classes({1, 2, 4}) : Tensor()};
      const Tensor y = network->forward(x, levels(3), condition);
      CHECK(y.sizes() == x.sizes());
      CHECK(y.isfinite().all().item<bool>());
      CHECK(y.equal(network->forward(x, levels(3), condition)));
    }
}

TEST_CASE("Every network's initial weights are a function of the seed", "[networks]") {
  for (const auto& entry : trainable()) {
    const auto a = state_dict(*small(entry, kLabeled, 1)), b = state_dict(*small(entry, kLabeled, 1)),
               c = state_dict(*small(entry, kLabeled, 2));
    std::int64_t drawn = 0, different = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      INFO(entry.name << ": " << a[i].first);
      CHECK(a[i].second.equal(b[i].second));
      if (a[i].second.dim() < 2 || a[i].second.std().item<double>() == 0.0) continue;  // not drawn
      ++drawn;
      different += !a[i].second.equal(c[i].second);
    }
    CHECK(drawn > 0);
    CHECK(different > drawn / 2);  // all but buffers such as filters
  }
}

TEST_CASE("Every network's state goes into another one and back", "[networks]") {
  for (const auto& entry : trainable()) {
    INFO(entry.name);
    const auto from = lively(entry, kLabeled), to = small(entry, kLabeled, 2);
    const Tensor x = images(kLabeled, 2), y = from->forward(x, levels(2), {});
    CHECK(gap(to->forward(x, levels(2), {}), y) > 1e-3);
    load_state(*to, state_dict(*from), "test");
    CHECK(to->forward(x, levels(2), {}).equal(y));
  }
}

TEST_CASE("Gradients reach every parameter of every network", "[networks]") {
  for (const auto& entry : trainable()) {
    const auto network = lively(entry, kLabeled);
    for (const auto& [name, gradient] :
         result_and_gradients(*network, images(kLabeled, 2), {.labels = classes({0, 3})})) {
      INFO(entry.name << ": " << name);
      CHECK(gradient.abs().max().item<double>() > 0.0);
    }
  }
}

TEST_CASE("Every network sees noise level and class; no label is 'no class'", "[networks]") {
  for (const auto& entry : trainable()) {
    INFO(entry.name);
    const auto network = lively(entry, kLabeled);
    const Tensor x = images(kLabeled, 3), c = levels(3), none = network->forward(x, c, {});
    CHECK(none.equal(network->forward(x, c, {.labels = classes({4, 4, 4})})));
    CHECK(gap(none, network->forward(x, c + 0.5, {})) > 1e-3);
    const Tensor labeled = network->forward(x, c, {.labels = classes({2, 4, 0})});
    CHECK(gap(none[0], labeled[0]) > 1e-3);
    CHECK(gap(none[1], labeled[1]) < 1e-5);
    CHECK(gap(none, network->forward(x, c, {.labels = at::zeros({3, 4})})) < 1e-5);
    CHECK_THROWS(network->forward(x, c, {.labels = classes({0, 5, 0})}));
    CHECK_THROWS(network->forward(x, c, {.labels = classes({0, 1})}));
  }
}

TEST_CASE("No network lets an image's result depend on its batch", "[networks]") {
  for (const auto& entry : trainable()) {
    INFO(entry.name);
    const auto network = lively(entry, kLabeled);
    const Tensor x = images(kLabeled, 3), c = levels(3), labels = classes({0, 3, 1});
    const ops::DropoutKey key{.seed = 3, .samples = {10, 11, 12}}, one{.seed = 3, .samples = {11}};
    const Tensor all = network->forward(x, c, {.labels = labels, .dropout = &key});
    const Tensor alone =
        network->forward(x.narrow(0, 1, 1), c.narrow(0, 1, 1), {.labels = labels.narrow(0, 1, 1), .dropout = &one});
    CHECK(gap(alone[0], all[1]) < 1e-5 * all.abs().max().item<double>());
    CHECK(gap(network->forward(x, c.narrow(0, 0, 1), {}), network->forward(x, c.narrow(0, 0, 1).expand({3}), {})) <
          1e-5 * all.abs().max().item<double>());
  }
}

TEST_CASE("Every network with its gradients is the same on fast kernels", "[networks]") {
  for (const auto& entry : trainable()) {
    const auto network = lively(entry, kLabeled);
    const ops::DropoutKey key{.seed = 3, .samples = {4, 5}};
    const Tensor x = images(kLabeled, 2);
    const Condition condition{.labels = classes({0, 3}), .dropout = &key};
    const NamedTensors exact = result_and_gradients(*network, x, condition);
    testing::for_each_backend([&](const std::string& backend) {
      const NamedTensors found = result_and_gradients(*network, x, condition);
      for (std::size_t i = 0; i < exact.size(); ++i) {
        INFO(entry.name << ", " << backend << ": " << exact[i].first);
        // Rounding of float32 through some twenty layers, twice that of a direct sum by the
        // Winograd algorithm.
        CHECK((found[i].second - exact[i].second).norm().item<double>() < 1e-4 * exact[i].second.norm().item<double>());
      }
    });
  }
}
