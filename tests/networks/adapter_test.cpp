// Low-rank adapters on every network: where they start, what trains them, and that a merged weight
// does what the adapter did.
#include "edmund/networks/adapter.h"

#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/formula_weights.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>

using namespace edmund;

namespace {

constexpr NetworkContext kContext{.image = {.channels = 3, .height = 8, .width = 8}, .num_classes = 4};

std::shared_ptr<Network> network_of(const NetworkEntry& entry) {
  const at::NoGradGuard no_grad;
  Options options = Options::read_text(std::string(entry.small), "small.yaml");
  auto network = entry.make(options, kContext);
  network->initialize(1);
  for (auto& item : network->named_parameters())
    item.value().copy_(testing::FormulaWeights{}.tensor(item.key(), item.value().sizes()));
  return network;
}

void adapt(Network& network, const std::string& options_text) {
  Options options = Options::read_text(options_text, "adapter.yaml");
  const Adapter adapter = make_adapter(options);
  options.finish();
  adapter(network, 7);
}

// Factors far from where they start.
void enliven(const Network& network) {
  const at::NoGradGuard no_grad;
  for (auto& layer : low_rank_layers(network)) {
    layer.A.copy_(at::cos(at::arange(layer.A.numel(), at::kFloat) * 0.7).reshape(layer.A.sizes()) * 0.1);
    layer.B.copy_(at::sin(at::arange(layer.B.numel(), at::kFloat) * 0.3 + 1).reshape(layer.B.sizes()) * 0.1);
  }
}

Tensor answer(Network& network) {
  const Tensor x = at::sin(at::arange(2 * 3 * 64, at::kFloat) * 0.37).reshape({2, 3, 8, 8});
  return network.forward(x, at::tensor({-0.5f, 0.8f}), {.labels = at::tensor({1, 3}, at::kLong)});
}

double gap(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

template <typename Act>
void each_network(const Act& act) {
  for (const auto& entry : network_table()) {
    if (entry.small.empty()) continue;
    INFO(entry.name);
    act(entry);
  }
}

}  // namespace

TEST_CASE("an adapter starts at the frozen network, bit for bit, and few weights are trained", "[networks]") {
  each_network([](const NetworkEntry& entry) {
    const auto plain = network_of(entry), adapted = network_of(entry);
    adapt(*adapted, "{type: lora, rank: 2, targets: [all]}");
    CHECK(answer(*adapted).equal(answer(*plain)));
    const auto layers = low_rank_layers(*adapted);
    CHECK(layers.size() > 4);
    std::size_t trained = 0;
    for (const auto& item : adapted->named_parameters()) {
      INFO(item.key());
      const bool factor = item.key().find(".lora_") != std::string::npos;
      CHECK(item.value().requires_grad() == factor);
      trained += factor;
    }
    CHECK(trained == 2 * layers.size());
  });
}

TEST_CASE("a merged adapter does what the adapter did", "[networks]") {
  each_network([](const NetworkEntry& entry) {
    const auto plain = network_of(entry), adapted = network_of(entry);
    adapt(*adapted, "{type: lora, rank: 3, alpha: 6, targets: [all]}");
    enliven(*adapted);
    const Tensor applied = answer(*adapted).detach(), base = answer(*plain).detach();
    const double size = applied.abs().max().item<double>();
    CHECK(gap(applied, base) > 1e-3 * size);
    const auto layers = low_rank_layers(*adapted);
    add_changes(*plain, layers, 1.0, "adapter");
    CHECK(gap(answer(*plain), applied) <= 1e-6 * size);
    merge_adapter(*adapted);
    CHECK(gap(answer(*adapted), applied) <= 1e-6 * size);
    check_state(*network_of(entry), state_dict(*adapted), "merged");  // nothing is left of it
  });
}

// ∂L/∂A = scale·Bᵀ·G and ∂L/∂B = scale·G·Aᵀ with G the gradient of the merged weight.
TEST_CASE("gradients of the factors are those of the weight they change", "[networks]") {
  each_network([](const NetworkEntry& entry) {
    const auto adapted = network_of(entry), merged = network_of(entry);
    adapt(*adapted, "{type: lora, rank: 2, alpha: 3, targets: [all]}");
    enliven(*adapted);
    const auto layers = low_rank_layers(*adapted);
    add_changes(*merged, layers, 1.0, "adapter");
    const auto loss = [](const Tensor& y) {
      return (y * at::cos(at::arange(y.numel(), at::kFloat).reshape(y.sizes()))).sum();
    };
    loss(answer(*adapted)).backward();
    loss(answer(*merged)).backward();
    auto weights = merged->named_parameters();
    for (const auto& layer : layers) {
      INFO(layer.layer);
      Tensor G = weights[layer.layer + ".weight"].grad().flatten(1);
      if (layer.table) G = G.t();
      const Tensor A = layer.A.detach().flatten(1), B = layer.B.detach().flatten(1);
      const Tensor dA = layer.scale * at::mm(B.t(), G), dB = layer.scale * at::mm(G, A.t());
      REQUIRE(layer.A.grad().defined());
      CHECK(gap(layer.A.grad().flatten(1), dA) <= 1e-4 * (dA.abs().max().item<double>() + 1e-3));
      CHECK(gap(layer.B.grad().flatten(1), dB) <= 1e-4 * (dB.abs().max().item<double>() + 1e-3));
    }
  });
}

TEST_CASE("strength 0 leaves every bit, and several adapters add up", "[networks]") {
  const NetworkEntry& entry = network_table().front();
  const auto plain = network_of(entry), changed = network_of(entry), adapted = network_of(entry);
  adapt(*adapted, "{type: lora, rank: 2, rank_stabilized: true, alpha: 1, targets: [qkv, conv0]}");
  enliven(*adapted);
  const auto layers = low_rank_layers(*adapted);
  CHECK(layers.front().scale == 1 / std::sqrt(2.0));
  add_changes(*changed, layers, 0.0, "adapter");
  CHECK(answer(*changed).equal(answer(*plain)));
  add_changes(*changed, layers, 0.5, "adapter");
  add_changes(*changed, layers, -0.7, "adapter");
  const auto before = plain->named_parameters(), after = changed->named_parameters();
  for (const auto& layer : layers) {
    const Tensor W = before[layer.layer + ".weight"];
    const Tensor expected = W - 0.2 * layer.scale * at::mm(layer.B.flatten(1), layer.A.flatten(1)).view(W.sizes());
    CHECK(gap(after[layer.layer + ".weight"], expected) <= 1e-6 * W.abs().max().item<double>());
  }
}

TEST_CASE("adapters that do not fit are refused before any weight changes", "[networks]") {
  const auto network = network_of(network_table().front()), same = network_of(network_table().front());
  const std::string first = [&] {
    adapt(*same, "{type: lora, rank: 2, targets: [conv0]}");
    return low_rank_layers(*same).front().layer;
  }();
  const LowRank good = low_rank_layers(*same).front();
  const auto refusal = [&](std::vector<LowRank> changes) {
    return testing::error_of([&] { add_changes(*network, changes, 1.0, "x.safetensors"); });
  };
  LowRank elsewhere = good, wide = good, flat = good;
  elsewhere.layer = first + "x";
  wide.A = at::ones({3, good.A.size(1), 3, 3});
  flat.B = at::ones({good.B.size(0)});
  const Tensor before = answer(*network);
  CHECK_THAT(refusal({good, elsewhere}), Catch::Matchers::ContainsSubstring("x.safetensors: the network has no layer"));
  CHECK_THAT(refusal({good, wide}), Catch::Matchers::ContainsSubstring("do not fit its weight"));
  CHECK_THAT(refusal({good, flat}), Catch::Matchers::ContainsSubstring("do not fit its weight"));
  CHECK(answer(*network).equal(before));
  CHECK_THROWS_WITH(adapt(*network, "{type: lora, targets: [qvk]}"),
                    Catch::Matchers::ContainsSubstring("did you mean 'qkv'"));
  CHECK_THROWS_WITH(adapt(*network, "{type: lora, targets: []}"), Catch::Matchers::ContainsSubstring("names no layer"));
}

TEST_CASE("a prefix starts at the frozen network and adds what queries find among its tokens", "[networks]") {
  for (const auto& entry : network_table()) {
    if (entry.name != "unet" && entry.name != "dit") continue;
    INFO(entry.name);
    const auto plain = network_of(entry), adapted = network_of(entry), stronger = network_of(entry);
    adapt(*adapted, "{type: prefix, tokens: 3}");
    CHECK(answer(*adapted).equal(answer(*plain)));
    for (const auto& item : adapted->named_parameters())
      CHECK(item.value().requires_grad() == (item.key().find(".prefix.") != std::string::npos));
    const auto found = prefixes(*adapted);
    REQUIRE(!found.empty());
    answer(*adapted).square().sum().backward();
    for (const auto& prefix : found) CHECK(prefix.value.grad().abs().max().item<double>() > 0.0);
    {
      const at::NoGradGuard no_grad;
      for (const auto& prefix : found) prefix.value.normal_();
    }
    const Tensor applied = answer(*adapted).detach();
    CHECK(gap(applied, answer(*plain)) > 1e-4);
    add_prefixes(*stronger, found, 0.0, "prefix");
    CHECK(answer(*stronger).equal(answer(*plain)));
    add_prefixes(*stronger, found, 1.0, "prefix");
    CHECK(answer(*stronger).equal(applied));
  }
}

// Against attention over the tokens alone, written out.
TEST_CASE("a prefix's share is softmax attention to its tokens", "[networks]") {
  constexpr std::int64_t B = 2, heads = 2, c = 3, L = 4, T = 5, C = heads * c;
  const Tensor key = at::sin(at::arange(T * C, at::kDouble)).reshape({T, C}),
               value = at::cos(at::arange(T * C, at::kDouble)).reshape({T, C});
  const Tensor qkv = at::sin(at::arange(B * L * 3 * C, at::kDouble) * 0.7).reshape({B, L, 3 * C});
  const AttentionPrefix prefix(key, value, 0.5);
  const Tensor found = prefix.attended_tokens(qkv, heads);
  for (std::int64_t b = 0; b < B; ++b)
    for (std::int64_t l = 0; l < L; ++l)
      for (std::int64_t h = 0; h < heads; ++h) {
        const Tensor q = qkv[b][l].narrow(0, h * c, c), k = key.narrow(1, h * c, c), v = value.narrow(1, h * c, c);
        const Tensor weights = at::exp(at::mv(k, q) / std::sqrt(3.0));
        const Tensor expected = 0.5 * at::mv(v.t(), weights / weights.sum());
        CHECK(gap(found[b][l].narrow(0, h * c, c), expected) < 1e-12);
      }
  // the same as an image, whose channels run (head, c, {q, k, v})
  const Tensor image = qkv.reshape({B, L, 3, C}).permute({0, 3, 2, 1}).reshape({B, 3 * C, L, 1});
  CHECK(gap(prefix.attended(image, heads).squeeze(3).transpose(1, 2), found) < 1e-12);
}
