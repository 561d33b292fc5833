#include "edmund/evaluation/scores.h"

#include "edmund/core/error.h"
#include "edmund/evaluation/estimate.h"
#include "edmund/evaluation/frechet.h"
#include "helpers.h"
#include "support/catch.h"

#include <ATen/CPUGeneratorImpl.h>
#include <cmath>

using namespace edmund;
using testing::normal_rows;
using testing::stripes;

namespace {

/// Features that are the mean and the spread of an image, so that what the scores are is known.
class TwoNumbers final : public FeatureExtractor {
 public:
  std::string name() const override { return "two numbers"; }
  Tensor extract(const Tensor& images) const override {
    const Tensor x = images.to(at::kDouble).flatten(1);
    return at::stack({x.mean(1), x.std(1)}, 1);
  }
};

/// uint8 images of normal pixels.
Tensor pixels(std::int64_t count, double mean, double std, std::uint64_t seed) {
  const Tensor level = 10 * normal_rows(count, 1, seed + 1000);  // images differ
  return (mean + level + std * normal_rows(count, 64, seed)).clamp(0, 255).to(at::kByte).view({count, 1, 8, 8});
}

}  // namespace

TEST_CASE("new images of the real distribution close the whole way to the floor, noise none of it", "[evaluation]") {
  const TwoNumbers features;
  const Reference reference(features, pixels(1000, 120, 20, 1), 0);
  CHECK(reference.count() == 1000);
  for (const Score& score : reference.scores(pixels(700, 120, 20, 2))) {
    INFO(score.name << " " << score.value << " ± " << score.error.value_or(0.0) << ", floor " << score.floor
                    << ", ceiling " << score.ceiling);
    CHECK(score.error.value() > 0);
    CHECK(std::abs(score.closed().value() - 1) < 0.01);
    CHECK(score.ceiling > 100 * std::abs(score.floor));
  }
  const Tensor each = at::randint(0, 256, {700, 1, 8, 8}, at::detail::createCPUGenerator(11)).to(at::kByte);
  for (const Score& score : reference.scores(each)) CHECK(std::abs(score.closed().value()) < 0.05);
}

TEST_CASE("the Fréchet score is the plug-in distance of all drawn images to all real ones", "[evaluation]") {
  const TwoNumbers features;
  const Tensor real = pixels(2000, 120, 20, 3), drawn = pixels(1000, 150, 30, 4);
  const Score score = Reference(features, real, 0).scores(drawn)[0];
  CHECK_THAT(score.value,
             Catch::Matchers::WithinRel(
                 frechet_distance(Moments(features.extract(drawn)), Moments(features.extract(real))), 1e-12));
  CHECK(score.of.images == 1000);
  CHECK(score.of.real == 2000);
  CHECK(score.floor_of.images == 1000);
  CHECK(score.floor_of.real == 1000);
  // Means of pixels differ by 30, spreads by 10, both with equal variances: 30² + 10², up to 5
  // standard errors.
  // cutting to [0, 255] takes a little
  CHECK(std::abs(score.value - 1000) < 5 * score.error.value() + 0.03 * 1000);
  CHECK(score.floor >= 0);
  CHECK(score.floor < 1);
  CHECK(score.bias.value() > 0);
  CHECK(score.corrected().value() == score.value - *score.bias);
  CHECK(score.caution.empty());
}

TEST_CASE("the floor is that of as many real images as were drawn, and few of them are a reason for caution",
          "[evaluation]") {
  // With 32 features the bias of a set of 40 is large: it must be in both, and cancel.
  const auto data = stripes(400, 5);
  Options options = Options::read_text("{type: pca, dims: 32}", "test");
  const auto features = make_features(options, {.labeled = data});
  const Reference reference(*features, data.all().images, 0);
  const auto few = reference.scores(stripes(40, 6).all().images)[0],
             many = reference.scores(stripes(200, 7).all().images)[0];
  CHECK(few.floor_of.images == 40);
  CHECK(few.floor > 2 * many.floor);
  // Value and floor are independent estimates with the same bias: over seeds their difference has
  // mean 0, to five standard errors of that mean, which the bias is far beyond.
  std::vector<double> differences;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const Score score = Reference(*features, data.all().images, seed).scores(stripes(40, 20 + seed).all().images)[0];
    differences.push_back(score.value - score.floor);
  }
  const Estimate mean = mean_estimate(differences);
  INFO("value less floor " << mean.value << " ± " << mean.error << ", bias " << few.bias.value());
  CHECK(std::abs(mean.value) < 5 * mean.error);
  CHECK(5 * mean.error < 0.5 * few.bias.value());
  CHECK(few.caution.find("40 images against 400 real ones are few for 32 features; below 160") != std::string::npos);
  CHECK(many.caution.empty());
  const auto too_few = reference.scores(stripes(32, 6).all().images)[0];
  CHECK_FALSE(too_few.error.has_value());
  CHECK_FALSE(too_few.bias.has_value());
}

TEST_CASE("floors do not hang on how many of each class chance would take", "[evaluation]") {
  // Two classes far apart: halves with unequal shares of them would be far from each other.
  const Tensor level = at::cat({at::full({70, 1, 4, 4}, 40, at::kInt), at::full({30, 1, 4, 4}, 200, at::kInt)});
  const Tensor noise = at::randint(0, 8, {100, 1, 4, 4}, at::detail::createCPUGenerator(1)).to(at::kInt);
  const Tensor images = (level + noise).to(at::kByte),
               labels = at::cat({at::zeros({70}), at::ones({30})}).to(at::kLong);
  const TwoNumbers features;
  const auto floor_of = [&](std::int64_t classes) {
    const testing::MemoryDataset data("two", images, labels, classes);
    return Reference(features, real_features(features, data), 0).scores(images)[0].floor;
  };
  CHECK(floor_of(2) < 1);
  CHECK(floor_of(0) > 10);
}

TEST_CASE("features that are the same for all images are refused", "[evaluation]") {
  class Nothing final : public FeatureExtractor {
   public:
    std::string name() const override { return "nothing"; }
    Tensor extract(const Tensor& images) const override { return at::full({images.size(0), 3}, 0.7, at::kFloat); }
  };
  const Nothing features;
  CHECK_THROWS_WITH(Reference(features, pixels(20, 120, 20, 1), 0),
                    Catch::Matchers::ContainsSubstring("the features 'nothing' are the same for all images"));
}

TEST_CASE("the share of the way is unknown where floor and ceiling agree", "[evaluation]") {
  const Score score{.name = "n", .estimator = "e", .value = 1.0, .floor = 2.0, .ceiling = 2.0};
  CHECK_FALSE(score.closed().has_value());
  CHECK_FALSE(score.corrected().has_value());
}

TEST_CASE("scores are a function of images and seed", "[evaluation]") {
  const TwoNumbers features;
  const Tensor real = pixels(100, 120, 20, 8), generated = pixels(80, 110, 25, 9);
  const auto first = Reference(features, real, 1).scores(generated),
             again = Reference(features, real, 1).scores(generated);
  for (std::size_t i = 0; i < first.size(); ++i) {
    CHECK(first[i].value == again[i].value);
    CHECK(first[i].floor == again[i].floor);
    CHECK(first[i].ceiling == again[i].ceiling);
  }
  CHECK(Reference(features, real, 2).scores(generated)[0].floor != first[0].floor);
}

TEST_CASE("metrics are named after their features, and never FID or KID", "[evaluation]") {
  const TwoNumbers features;
  const auto scores = Reference(features, pixels(20, 120, 20, 10), 0).scores(pixels(20, 120, 20, 11));
  CHECK(scores[0].name == "Fréchet distance (two numbers, 2-d)");
  CHECK(scores[1].name == "Kernel distance (two numbers, 2-d)");
}

TEST_CASE("class agreement counts images of the class asked for, between noise and real images", "[evaluation]") {
  const auto data = stripes(300, 12), test = stripes(90, 13), other = stripes(60, 14);
  const Classifier classifier = Classifier::train(data, {.channels = 8, .features = 16, .epochs = 6, .batch_size = 32});
  Tensor asked = other.all().labels.clone();
  // a quarter is asked for another class
  asked.narrow(0, 0, 15) = (asked.narrow(0, 0, 15) + 1) % 3;
  const Score score = class_agreement(classifier, other.all().images, asked, test.all(), 0);
  CHECK(std::abs(score.value - 0.75) <= 0.05);
  CHECK(std::abs(score.error.value() - std::sqrt(score.value * (1 - score.value) / 60)) < 1e-12);
  CHECK(score.floor >= 0.97);
  CHECK(score.ceiling < 0.6);
}

TEST_CASE("scores refuse sets that are too small", "[evaluation]") {
  const TwoNumbers features;
  CHECK_THROWS_AS(Reference(features, pixels(3, 120, 20, 15), 0), Error);
  CHECK_THROWS_AS(Reference(features, pixels(10, 120, 20, 16), 0).scores(pixels(1, 120, 20, 17)), Error);
}
