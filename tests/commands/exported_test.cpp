// A network that PyTorch exported, as a user meets it: a config, convert, and the commands that
// need no training.
#include "edmund/core/files.h"
#include "edmund/io/tensor_file.h"
#include "support/catch.h"
#include "support/process.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <torch/script.h>

namespace edmund::testing {
namespace {

namespace fs = std::filesystem;

bool says(const Outcome& outcome, std::string_view part) { return outcome.output.find(part) != std::string::npos; }

// D(z; σ) of images with a normal law of variance 0.25.
void write_denoiser(const fs::path& file) {
  torch::jit::Module module("denoiser");
  module.define("def forward(self, x, t):\n    return x * 0.25 / (0.25 + t.reshape(-1, 1, 1, 1) ** 2)\n");
  module.save(file.string());
}

constexpr const char* kConfig = R"(name: gaussian
image: {channels: 1, height: 8, width: 8}
network: {type: exported, file: denoiser.pt}
preconditioning: {type: x0, input: unscaled, noise_input: sigma}
sampling: {grid: {type: karras, steps: 5}, sampler: {type: heun}}
evaluation:
  features: {type: identity}
  held_out: {type: idx, images: images.idx, labels: labels.idx}
)";

}  // namespace

TEST_CASE("an exported network samples, denoises and has likelihoods, and is not trained", "[app]") {
  const TemporaryFolder folder;
  const fs::path& at = folder.path();
  write_denoiser(at / "denoiser.pt");
  write_text(at / "gaussian.yaml", kConfig);
  write_idx_data(at);
  const Outcome converted = edmund_run(at, "convert gaussian.yaml run");
  INFO(converted.output);
  REQUIRE(converted.code == 0);
  CHECK(says(converted, "runs the code of its author"));

  write_text(at / "in.safetensors", tensor_bytes({{"z.2", at::ones({3, 1, 8, 8})}}));
  REQUIRE(edmund_run(at, "denoise run --in in.safetensors --out D.safetensors").code == 0);
  CHECK((read_tensors(at / "D.safetensors").at("D.2") - 0.25 / 4.25).abs().max().item<double>() < 1e-6);

  REQUIRE(edmund_run(at, "sample run --images 3 --raw-out values.safetensors").code == 0);
  CHECK(fs::exists(at / "run/samples/000002.png"));
  for (const char* command : {"likelihood run --images 2", "inspect run", "grid run",
                              "bench run/config.yaml --phase forward --rounds 1 --min-time 0.01 --kernels fast"}) {
    const Outcome outcome = edmund_run(at, command);
    INFO(command << "\n" << outcome.output);
    CHECK(outcome.code == 0);
  }

  const std::pair<std::string, std::string> refusals[] = {
      {"train run data.type=idx data.images=images.idx data.labels=labels.idx", "no weights that could be trained"},
      {"convert gaussian.yaml run", "holds a run already"},
      {"sample run preconditioning.noise_input=log network.file=gaussian.yaml", "another file than was noted"},
  };
  for (const auto& [arguments, expected] : refusals) {
    const Outcome outcome = edmund_run(at, arguments + " --quiet");
    INFO(arguments << "\n" << outcome.output);
    CHECK(outcome.code == 2);
    CHECK(says(outcome, expected));
  }
}

TEST_CASE("a config of an exported network has to say what it answers and takes", "[app]") {
  const TemporaryFolder folder;
  const fs::path& at = folder.path();
  write_denoiser(at / "denoiser.pt");
  write_text(at / "text.pt", "hello");
  const std::string network = "network: {type: exported, file: denoiser.pt}\n",
                    image = "image: {channels: 1, height: 8, width: 8}\n",
                    convention = "preconditioning: {type: x0, input: unscaled, noise_input: sigma}\n";
  const std::pair<std::string, std::string> cases[] = {
      {network + image, "preconditioning.type: has to be chosen"},
      {network + convention, "image: has to be stated"},
      {network + image + "preconditioning: {type: x0}\n", "noise_input: has to be chosen"},
      {"network: {type: exported}\n" + image + convention, "network.file"},
      {"network: {type: exported, file: none.pt}\n" + image + convention, "none.pt"},
      {"network: {type: exported, file: text.pt}\n" + image + convention, "expected TorchScript"},
      {"network: {type: unet}\n" + image, "has no weights yet"},
  };
  for (const auto& [config, expected] : cases) {
    write_text(at / "config.yaml", config);
    const Outcome outcome = edmund_run(at, "convert config.yaml run --quiet");
    INFO(config << outcome.output);
    CHECK(outcome.code == 2);
    CHECK(says(outcome, expected));
    CHECK_FALSE(fs::exists(at / "run"));
  }
}

}  // namespace edmund::testing
