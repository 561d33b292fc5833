#include "edmund/generation/image_generator.h"

#include "edmund/core/consecutive.h"
#include "edmund/core/stop.h"
#include "edmund/generation/given_noise.h"
#include "generation/experiment.h"
#include "support/catch.h"
#include "support/cpu_recorder.h"
#include "support/gpu.h"

#include <ATen/ATen.h>
#include <cstdint>
#include <new>
#include <utility>
#include <vector>

namespace edmund::testing {
namespace {

Experiment small(const std::vector<std::string>& overrides = {}) {
  return experiment_of(
      "{image: {channels: 1, height: 8, width: 8, classes: 3}, network: {type: unet, channels: 8, multipliers: [1, 2], "
      "blocks: 1, attention: [4]}, training: {images: 10}, sampling: {grid: {type: karras, steps: 4}, sampler: {type: "
      "heun}, batch_size: 64}}",
      overrides);
}

TEST_CASE("64 images in one batch are the 64 images one by one", "[app]") {
  ImageGenerator generator = generator_of(small());
  const auto numbers = consecutive(0, 64);
  const Tensor labels = class_labels(generator.shape(), ClassRule::kData, numbers);
  const Generated together = generator.draw(numbers, labels, 5),
                  apart = generator.draw(numbers, labels, 5, {.batch_size = 1});
  const Tensor difference = (together.images.to(at::kInt) - apart.images.to(at::kInt)).abs();
  // rounding may fall on the other side of a level
  CHECK(difference.max().item<int>() <= 1);
  CHECK(difference.sum().item<double>() / difference.numel() < 1e-3);  // and seldom does
  CHECK(together.evaluations == 7);
}

TEST_CASE("a batch that memory has no room for is the same in the parts that fit, and comes as one", "[app]") {
  ImageGenerator generator = generator_of(small());
  const auto numbers = consecutive(0, 20);
  const Tensor labels = class_labels(generator.shape(), ClassRule::kData, numbers);
  std::int64_t room = 3;
  std::vector<std::int64_t> sizes, batches;
  DrawSettings tight{.values = true, .batch_size = 8};
  tight.around = [&](Denoiser D) {
    return [&, D = std::move(D)](const Tensor& z, double sigma) {
      if (z.size(0) > room) throw std::bad_alloc();
      if (sizes.empty() || sizes.back() != z.size(0)) sizes.push_back(z.size(0));
      return D(z, sigma);
    };
  };
  const Generated found = generator.draw(numbers, labels, 5, tight),
                  expected = generator.draw(numbers, labels, 5, {.values = true, .batch_size = 2});
  CHECK(sizes == std::vector<std::int64_t>{2});
  CHECK(found.images.equal(expected.images));
  CHECK(found.values.equal(expected.values));
  CHECK(found.evaluations == expected.evaluations);

  tight.finished = [&](std::int64_t, const Generated& batch) { batches.push_back(batch.images.size(0)); };
  generator.draw(numbers, labels, 5, tight);
  CHECK(batches == std::vector<std::int64_t>{8, 8, 4});
  room = 0;
  CHECK_THROWS_AS(generator.draw(numbers, labels, 5, tight), std::bad_alloc);
}

TEST_CASE("another seed, class or number gives another picture", "[app]") {
  ImageGenerator generator = generator_of(small());
  const auto draw = [&](std::int64_t number, std::int64_t label, std::uint64_t seed) {
    return generator.draw(std::vector{number}, at::full({1}, label, at::kLong), seed).images;
  };
  CHECK(at::equal(draw(3, 1, 5), draw(3, 1, 5)));
  CHECK(!at::equal(draw(3, 1, 5), draw(4, 1, 5)));
  CHECK(!at::equal(draw(3, 1, 5), draw(3, 1, 6)));
}

TEST_CASE("batches are recorded by size, and replayed between calls", "[app]") {
  const std::string sampler = GENERATE("heun", "{type: heun, S_churn: 10}", "ancestral", "dpmpp_2m");
  const Experiment experiment = small({"sampling.sampler=" + sampler, "sampling.batch_size=4"});
  ImageGenerator plain = generator_of(experiment);
  std::vector<Generated> expected;
  for (const std::int64_t first : {0, 10, 20}) {  // batches of 4, 4 and 2
    const auto numbers = consecutive(first, 10);
    expected.push_back(
        plain.draw(numbers, class_labels(plain.shape(), ClassRule::kData, numbers), 5, {.values = true}));
  }
  const CpuRecorder recorder;
  ImageGenerator generator = generator_of(experiment);
  for (std::size_t call = 0; call < expected.size(); ++call) {
    const auto numbers = consecutive(10 * static_cast<std::int64_t>(call), 10);
    const Generated found =
        generator.draw(numbers, class_labels(generator.shape(), ClassRule::kData, numbers), 5, {.values = true});
    CHECK(at::equal(found.images, expected[call].images));
    CHECK(at::equal(found.values, expected[call].values));
    CHECK(found.evaluations == expected[call].evaluations);
    CHECK(found.draws == expected[call].draws);
  }
  CHECK(CpuRecorder::graphs() == 2);  // of 4 and of 2 images
  // of 6 and 3 batches: all but the first, as it is, and the recorded one
  CHECK(CpuRecorder::replays() == 4 + 1);

  // Another seed is another record; a trace is not recorded.
  const auto numbers = consecutive(0, 4);
  const Tensor labels = class_labels(generator.shape(), ClassRule::kData, numbers);
  CHECK(!at::equal(generator.draw(numbers, labels, 6).images, expected[0].images.narrow(0, 0, 4)));
  CHECK(CpuRecorder::graphs() == 3);
  generator.draw(numbers, labels, 6, {.around = [](Denoiser D) { return D; }});
  CHECK(CpuRecorder::replays() == 5);
}

TEST_CASE("what a sampler with steps of its own draws is not recorded", "[app]") {
  const CpuRecorder recorder;
  ImageGenerator generator = generator_of(small({"sampling.sampler=rk45"}));
  const auto numbers = consecutive(0, 4);
  generator.draw(numbers, class_labels(generator.shape(), ClassRule::kData, numbers), 5);
  CHECK(CpuRecorder::graphs() == 0);
}

TEST_CASE("finished batches go to their consumer, and those that are there are not drawn", "[app]") {
  ImageGenerator generator = generator_of(small());
  const auto numbers = consecutive(0, 10);
  const Tensor labels = class_labels(generator.shape(), ClassRule::kData, numbers);
  const Generated whole = generator.draw(numbers, labels, 5, {.values = true, .batch_size = 4});
  std::vector<std::int64_t> firsts, progress;
  const Generated rest =
      generator.draw(numbers, labels, 5,
                     {.values = true,
                      .batch_size = 4,
                      .progress = [&](std::int64_t done) { progress.push_back(done); },
                      .finished =
                          [&](std::int64_t first, const Generated& batch) {
                            firsts.push_back(first);
                            CHECK(at::equal(batch.images, whole.images.narrow(0, first, batch.images.size(0))));
                            CHECK(at::equal(batch.values, whole.values.narrow(0, first, batch.images.size(0))));
                            CHECK(at::equal(batch.labels, labels.narrow(0, first, batch.images.size(0))));
                          },
                      .skip = [](std::int64_t first, std::int64_t count) { return first == 4 && count == 4; }});
  CHECK(firsts == std::vector<std::int64_t>{0, 8});
  CHECK(progress == std::vector<std::int64_t>{4, 8, 10});
  CHECK_FALSE(rest.images.defined());
  CHECK(rest.evaluations == whole.evaluations);
}

TEST_CASE("drawing stops before the next batch when asked to, and after the last when it is to be whole", "[app]") {
  ImageGenerator generator = generator_of(small());
  const auto numbers = consecutive(0, 10);
  for (const std::int64_t last : {0, 1, 2}) {
    const StopRequest stop;
    std::int64_t batches = 0;
    DrawSettings settings{.batch_size = 4, .finished = [&](std::int64_t, const Generated&) {
                            if (batches++ == last) StopRequest::request();
                          }};
    const auto draw = [&] {
      generator.draw(numbers, class_labels(generator.shape(), ClassRule::kData, numbers), 5, settings);
    };
    if (last < 2)
      CHECK_THROWS_AS(draw(), Interrupted);
    else
      CHECK_NOTHROW(draw());  // all is drawn
    CHECK(batches == last + 1);
    settings.whole = true;
    batches = 10;
    CHECK_NOTHROW(draw());
    CHECK(batches == 13);
  }
}

TEST_CASE("draws from elsewhere take the place of the numbers' own", "[app]") {
  ImageGenerator generator = generator_of(small());
  const auto numbers = consecutive(0, 6);
  const Tensor labels = class_labels(generator.shape(), ClassRule::kData, numbers), noise = generator.noise(numbers, 5);
  const NoiseOf given = [&](std::int64_t first, std::int64_t count) {
    return std::make_unique<GivenNoise>(noise.narrow(0, first, count), "heun drew noise");
  };
  const Generated found = generator.draw(6, labels, given, {.values = true, .batch_size = 4});
  CHECK(at::equal(found.values, generator.draw(numbers, labels, 5, {.values = true, .batch_size = 4}).values));
  CHECK_THROWS_WITH(generator_of(small({"sampling.sampler=ancestral"})).draw(6, labels, given),
                    Catch::Matchers::ContainsSubstring("heun drew noise"));
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
    ImageGenerator generator = generator_of(small(all));
    return generator.draw(numbers, class_labels(generator.shape(), ClassRule::kData, numbers), 5);
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
