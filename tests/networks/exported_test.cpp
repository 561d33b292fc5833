// Programs of PyTorch as networks: what they are told, what they answer, and how they are refused.
#include "edmund/core/files.h"
#include "edmund/diffusion/loss_weight.h"
#include "edmund/diffusion/model.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

#include <torch/script.h>

using namespace edmund;
using testing::TemporaryFolder;

namespace {

constexpr NetworkContext kImages{.image = {.channels = 2, .height = 4, .width = 6}};
constexpr NetworkContext kClasses{.image = {.channels = 2, .height = 4, .width = 6}, .num_classes = 3};

// A TorchScript archive of forward's source.
std::string program(const TemporaryFolder& folder, const std::string& source) {
  torch::jit::Module module("program");
  module.register_parameter("weight", at::full({1}, 0.5), /*is_buffer=*/false);
  module.define(source);
  const auto file = folder.path() / "program.pt";
  module.save(file.string());
  return file.string();
}

std::shared_ptr<Network> network(const std::string& file, const NetworkContext& context, const std::string& more = "") {
  Options options = Options::read_text("{type: exported, file: '" + file + "'" + more + "}", "exported.yaml");
  auto made = make_network(options, context);
  options.finish();
  return made;
}

DenoisingModel model(const std::string& file, const std::string& preconditioning) {
  Options options = Options::read_text(preconditioning, "preconditioning.yaml");
  return {network(file, kImages), make_preconditioning(options), LossWeight([](const Tensor&) { return Tensor(); })};
}

Tensor images(std::int64_t B) { return at::sin(at::arange(B * 48, at::kFloat) * 0.37).reshape({B, 2, 4, 6}); }
Tensor column(const Tensor& t) { return t.reshape({-1, 1, 1, 1}); }

// Of images with a normal law of variance 0.25: D(z; σ) = z·0.25/(0.25 + σ²).
constexpr const char* kDenoiser = R"(
def forward(self, x, t):
    return x * 0.25 / (0.25 + t.reshape(-1, 1, 1, 1) ** 2)
)";

}  // namespace

TEST_CASE("an exported program that answers D is the denoiser itself", "[networks]") {
  const TemporaryFolder folder;
  const DenoisingModel D = model(program(folder, kDenoiser), "{type: x0, input: unscaled, noise_input: sigma}");
  const Tensor z = images(3), sigma = at::tensor({0.01f, 1.0f, 60.0f});
  const Tensor expected = z * 0.25 / (0.25 + column(sigma).square());
  CHECK((D.denoise(z, sigma, {}) - expected).abs().max().item<double>() < 1e-6);
  const Denoiser one = conditioned(D, {});
  CHECK((one(z, 2.0) - z * (0.25 / 4.25)).abs().max().item<double>() < 1e-6);
}

TEST_CASE("what an exported program is told is what the config says", "[networks]") {
  const TemporaryFolder folder;
  const std::string file = program(folder, "def forward(self, x, t):\n    return x * 0 + t.reshape(-1, 1, 1, 1)\n");
  const Tensor z = images(2), sigma = at::tensor({0.25f, 4.0f});
  const auto told = [&](const std::string& noise_input) {
    // F of x0 without a skip is D
    return model(file, "{type: x0, noise_input: " + noise_input + "}").denoise(z, sigma, {}).select(1, 0)[1][0][0];
  };
  CHECK_THAT(told("sigma").item<double>(), Catch::Matchers::WithinRel(4.0, 1e-6));
  CHECK_THAT(told("log").item<double>(), Catch::Matchers::WithinRel(std::log(4.0) / 4, 1e-6));
  CHECK_THAT(told("flow").item<double>(), Catch::Matchers::WithinRel(0.8, 1e-6));
  CHECK_THAT(told("{type: flow, scale: 1000}").item<double>(), Catch::Matchers::WithinRel(800, 1e-6));
  CHECK_THAT(told("{type: flow, reversed: true}").item<double>(), Catch::Matchers::WithinRel(0.2, 1e-6));
}

TEST_CASE("an exported program is told classes as indices or as rows", "[networks]") {
  const TemporaryFolder folder;
  const Tensor x = images(2), t = at::ones({2});
  const auto answer = [&](Network& net, const Tensor& labels) { return net.forward(x, t, {.labels = labels}); };
  {
    const auto net = network(program(folder, R"(
def forward(self, x, t, labels):
    return x * 0 + labels.to(x.dtype).reshape(-1, 1, 1, 1)
)"),
                             kClasses);
    CHECK(answer(*net, at::tensor({2, 0}))[0].equal(at::full({2, 4, 6}, 2.0)));
    CHECK(answer(*net, {}).equal(at::full({2, 2, 4, 6}, 3.0)));  // no class
    CHECK_THROWS(answer(*net, at::tensor({4, 0})));
    CHECK_THROWS(answer(*net, at::zeros({2, 3})));
  }
  const auto net = network(program(folder, R"(
def forward(self, x, t, labels):
    return x * 0 + (labels @ torch.tensor([1.0, 10.0, 100.0])).reshape(-1, 1, 1, 1)
)"),
                           kClasses, ", labels: one_hot");
  CHECK(answer(*net, at::tensor({2, 0}))[0].equal(at::full({2, 4, 6}, 100.0)));
  CHECK(answer(*net, {}).equal(at::zeros({2, 2, 4, 6})));
}

TEST_CASE("a program for a fixed number of images gets them filled up and split", "[networks]") {
  const TemporaryFolder folder;
  const std::string file =
      program(folder, "def forward(self, x, t):\n    assert x.size(0) == 2\n    return x * t.reshape(-1, 1, 1, 1)\n");
  CHECK_THROWS_WITH(network(file, kImages), Catch::Matchers::ContainsSubstring("program fails"));
  const auto net = network(file, kImages, ", batch: [2, 2]");
  const Tensor x = images(5), t = at::arange(5, at::kFloat);
  CHECK(net->forward(x, t, {}).equal(x * column(t)));
}

TEST_CASE("TorchScript can be differentiated, as likelihoods need", "[networks]") {
  const TemporaryFolder folder;
  const DenoisingModel D = model(program(folder, kDenoiser), "{type: x0, input: unscaled, noise_input: sigma}");
  Tensor z = images(2).to(at::kDouble).requires_grad_(true);
  differentiable(D, {})(z, 0.5).sum().backward();
  CHECK((z.grad() - 0.5).abs().max().item<double>() < 1e-6);
  CHECK(parameter_count(D.network()) == 0);  // none that could be trained
}

TEST_CASE("what cannot be run is refused in one line that names the file", "[networks]") {
  const TemporaryFolder folder;
  const auto refusal = [&](const std::string& source, const NetworkContext& context = kImages) {
    return testing::error_of([&] { network(program(folder, source), context); });
  };
  const std::string good = read_file(program(folder, kDenoiser));
  const auto of_bytes = [&](const std::string& bytes) {
    const auto file = folder.path() / "bytes.pt";
    write_file(file, bytes);
    return testing::error_of([&] { network(file.string(), kImages); });
  };
  const std::pair<std::string, std::string> cases[] = {
      {testing::error_of([&] { network((folder.path() / "none.pt").string(), kImages); }), "no such file"},
      {of_bytes(""), "expected TorchScript"},
      {of_bytes("hello"), "expected TorchScript"},
      {of_bytes(good.substr(0, good.size() / 2)), "expected TorchScript"},
      {refusal("def forward(self, x, t):\n    return x, t\n"), "expected a tensor"},
      {refusal("def forward(self, x, t):\n    return x.mean(3)\n"), "expected real numbers of that shape"},
      {refusal("def forward(self, x, t):\n    return x.long()\n"), "expected real numbers"},
      {refusal("def forward(self, x, t):\n    return x @ x\n"), "the program fails"},
      {refusal("def forward(self, x):\n    return x\n"), "the program fails"},
      {refusal("def forward(self, x, t):\n    return x\n", kClasses), "the program fails"},
      {refusal("def forward(self, x, t):\n    return x + x.size(0)\n"), "for two images than for one"},
  };
  for (const auto& [found, expected] : cases) {
    INFO(found);
    CHECK_THAT(found, Catch::Matchers::ContainsSubstring(expected));
    CHECK_THAT(found, Catch::Matchers::ContainsSubstring(folder.path().string()));
    CHECK(found.find('\n') == std::string::npos);
    CHECK(found.size() < 600);
  }
}

TEST_CASE("a config may hold an exported program to the file that was noted", "[networks]") {
  const TemporaryFolder folder;
  const std::string file = program(folder, kDenoiser), noted = checksum(read_file(file));
  CHECK_NOTHROW(network(file, kImages, ", checksum: '" + noted + "'"));
  CHECK_THROWS_WITH(network(file, kImages, ", checksum: '0123'"), Catch::Matchers::ContainsSubstring("another file"));
}
