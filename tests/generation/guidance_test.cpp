#include "edmund/generation/guidance.h"

#include "edmund/core/error.h"
#include "edmund/generation/image_generator.h"
#include "edmund/networks/network.h"
#include "edmund/ops/random.h"
#include "generation/experiment.h"
#include "support/catch.h"
#include "support/process.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <nlohmann/json.hpp>

namespace edmund::testing {
namespace {

using nlohmann::json;

// Weights that the initialization leaves at zero are drawn too, so that D depends on the class.
Experiment random_model(std::uint64_t seed, const std::string& sampling) {
  Experiment out = experiment_of(
      "{image: {channels: 1, height: 8, width: 8, classes: 3}, network: {type: unet, channels: 8, multipliers: [1], "
      "blocks: 1, attention: []}, training: {images: 10, label_dropout: 0.1}, sampling: {grid: {type: karras, steps: "
      "4}, sampler: {type: heun}, " +
      sampling + "}}");
  const at::NoGradGuard no_grad;
  std::uint32_t draw = 0;
  for (auto& parameter : out.model.network().parameters())
    parameter.copy_(0.2 * ops::normal(seed, Stream::kWeights, std::vector<std::int64_t>{0}, draw++, parameter.sizes(),
                                      at::kFloat, at::kCPU)[0]);
  return out;
}

const Tensor& labels() {
  static const Tensor out = at::tensor({0, 1, 2});
  return out;
}

Tensor state() { return 2 * at::sin(at::arange(192, at::kDouble)).reshape({3, 1, 8, 8}); }

}  // namespace

TEST_CASE("classifier-free guidance is D_u + w (D_c - D_u) inside its interval and counts two evaluations there",
          "[app]") {
  const Experiment e = random_model(1, "guidance: {weight: 2.5, sigmas: [0.5, 10]}");
  const auto count = std::make_shared<std::int64_t>(0);
  const Denoiser D = generator_of(e).denoiser(labels(), count);
  const auto plain = [&](std::int64_t label, double sigma) {
    return conditioned(e.model, {.labels = label < 0 ? labels() : at::full({3}, label, at::kLong)})(state(), sigma);
  };
  const Tensor u = plain(3, 1.0), c = plain(-1, 1.0);
  // the class matters
  CHECK((c - u).abs().max().item<double>() > 1e-3);
  // float32 network, another batch
  CHECK((D(state(), 1.0) - (u + 2.5 * (c - u))).abs().max().item<double>() < 1e-5);
  CHECK(*count == 2);
  CHECK(D(state(), 0.2).equal(plain(-1, 0.2)));
  CHECK(*count == 3);
}

TEST_CASE("autoguidance leads away from the weaker model, conditioned alike", "[app]") {
  Experiment e = random_model(1, "guidance: {weight: 2}");
  const Experiment weak = random_model(2, "batch_size: 4");
  e.sampling.guide = std::make_shared<const GuideModel>(GuideModel{"weak", weak.shape, weak.model});
  const auto count = std::make_shared<std::int64_t>(0);
  const Tensor D = generator_of(e).denoiser(labels(), count)(state(), 1.0);
  const Tensor strong = conditioned(e.model, {.labels = labels()})(state(), 1.0),
               base = conditioned(weak.model, {.labels = labels()})(state(), 1.0);
  CHECK((strong - base).abs().max().item<double>() > 1e-3);
  CHECK((D - (2 * strong - base)).abs().max().item<double>() < 1e-12);
  CHECK(*count == 2);
}

TEST_CASE("dynamic thresholding is the outermost wrapper of the sampled denoiser", "[app]") {
  const Experiment e = random_model(1, "guidance: {weight: 500}, threshold: 0.9");
  const auto count = std::make_shared<std::int64_t>(0);
  const Tensor D = generator_of(e).denoiser(labels(), count)(state(), 1.0);
  CHECK(D.abs().max().item<double>() == 1.0);
}

TEST_CASE("guidance and thresholds that cannot work are refused in one line each", "[app]") {
  const auto message = [](const std::string& sampling, int classes) -> std::string {
    try {
      experiment_of(
          format("{image: {channels: 1, height: 8, width: 8, classes: {}}, network: {type: unet, channels: 8, "
                 "multipliers: [1]}, training: {images: 10}, sampling: {{}}}",
                 classes, sampling));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  for (const auto& [sampling, part] :
       {std::pair{"guidance: {weight: 2}", "has no classes"}, std::pair{"guidance: {weight: -1}", "weight"},
        std::pair{"guidance: {model: nowhere}", "nowhere: no such run folder"},
        std::pair{"threshold: 1.5", "sampling.threshold"}, std::pair{"threshold: 0.9, clip: [-1, 1]", "excludes clip"},
        std::pair{"threshold: 0.9, threshold_max: 0.5", "threshold_max"}}) {
    const std::string found = message(sampling, 0);
    INFO(sampling << ": " << found);
    CHECK(found.find(part) != std::string::npos);
    CHECK(found.find('\n') == std::string::npos);
  }
  CHECK(message("guidance: {weight: 2}", 3).empty());
}

TEST_CASE("a trained run guides another one, if it draws the same images", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  REQUIRE(edmund_run(folder.path(), "train config.yaml training.images=32").code == 0);
  REQUIRE(edmund_run(folder.path(), "train config.yaml --run runs/weak network.channels=16 training.images=32").code ==
          0);
  REQUIRE(edmund_run(folder.path(), "train config.yaml --run runs/other training.images=32 image.classes=0").code == 0);

  const std::string sample = "sample runs/small --images 2 --out a --json --quiet sampling.guidance.weight=2 ";
  const Outcome guided = edmund_run(folder.path(), sample + "sampling.guidance.model=runs/weak");
  INFO(guided.output);
  REQUIRE(guided.code == 0);
  const json facts = json::parse(guided.output);
  CHECK(facts["evaluations_per_image"] == 14);  // 7 steps of both networks
  CHECK(facts["sampling"].get<std::string>().find("autoguidance 2") != std::string::npos);

  const Outcome unlike = edmund_run(folder.path(), sample + "sampling.guidance.model=runs/other");
  INFO(unlike.output);
  CHECK(unlike.code == 2);
  CHECK(unlike.output.find("runs/other draws 1x8x8 images of 0 classes") != std::string::npos);
  CHECK(std::count(unlike.output.begin(), unlike.output.end(), '\n') == 1);
}

}  // namespace edmund::testing
