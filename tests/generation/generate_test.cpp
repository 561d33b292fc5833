#include "edmund/app/generate.h"

#include "edmund/app/config.h"
#include "edmund/core/consecutive.h"
#include "support/catch.h"
#include "support/gpu.h"

#include <ATen/ATen.h>

namespace edmund::testing {
namespace {

Experiment small(const std::vector<std::string>& overrides = {}) {
  return build(
      Options::read_text(
          "{image: {channels: 1, height: 8, width: 8, classes: 3}, network: {type: unet, channels: 8, multipliers: [1, "
          "2], blocks: 1, attention: [4]}, "
          "training: {images: 10}, sampling: {grid: {type: karras, steps: 4}, sampler: {type: heun}, batch_size: 64}}",
          "test", overrides),
      Needs::kModel);
}

TEST_CASE("64 images in one batch are the 64 images one by one", "[app]") {
  Experiment experiment = small();
  const auto numbers = consecutive(0, 64);
  const Tensor labels = balanced_labels(experiment.shape, numbers);
  const Generated together = generate(experiment.model, experiment.sampling, experiment.shape, numbers, labels, 5);
  experiment.sampling.batch_size = 1;
  const Generated apart = generate(experiment.model, experiment.sampling, experiment.shape, numbers, labels, 5);
  const Tensor difference = (together.images.to(at::kInt) - apart.images.to(at::kInt)).abs();
  CHECK(difference.max().item<int>() <= 1);                            // rounding may fall on the other side of a level
  CHECK(difference.sum().item<double>() / difference.numel() < 1e-3);  // and seldom does
  CHECK(together.evaluations == 7);
}

TEST_CASE("another seed, class or number gives another picture", "[app]") {
  const Experiment experiment = small();
  const auto draw = [&](std::int64_t number, std::int64_t label, std::uint64_t seed) {
    return generate(experiment.model, experiment.sampling, experiment.shape, std::vector<std::int64_t>{number},
                    at::full({1}, label, at::kLong), seed)
        .images;
  };
  CHECK(at::equal(draw(3, 1, 5), draw(3, 1, 5)));
  CHECK(!at::equal(draw(3, 1, 5), draw(4, 1, 5)));
  CHECK(!at::equal(draw(3, 1, 5), draw(3, 1, 6)));
}

TEST_CASE("a GPU draws the CPU's images, recorded or not", "[app][gpu]") {
  const testing::UseGpu gpu;
  const std::string sampler = GENERATE("heun", "{type: heun, S_churn: 10}", "ancestral", "dpmpp_2m", "rk45");
  const std::vector<std::string> more{"sampling.sampler=" + sampler, "sampling.batch_size=8"};
  std::vector<std::int64_t> numbers(30);  // four batches, the last one smaller
  std::iota(numbers.begin(), numbers.end(), 0);
  const auto drawn = [&](const std::string& device, const std::string& graphs) {
    std::vector<std::string> all = more;
    all.push_back("device=" + device);
    all.push_back("graphs=" + graphs);
    const Experiment experiment = small(all);
    return generate(experiment.model, experiment.sampling, experiment.shape, numbers,
                    balanced_labels(experiment.shape, numbers), 5);
  };
  const Generated expected = drawn("cpu", "on"), recorded = drawn("cuda", "on"), plain = drawn("cuda", "off");
  for (const auto* found : {&recorded, &plain}) {
    const Tensor difference = (found->images.to(at::kInt) - expected.images.to(at::kInt)).abs();
    CHECK(difference.max().item<int>() <= 2);
    CHECK(difference.sum().item<double>() / difference.numel() < 1e-2);
    CHECK(found->evaluations == plain.evaluations);
  }
}

}  // namespace
}  // namespace edmund::testing
