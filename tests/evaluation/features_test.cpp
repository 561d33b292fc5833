#include "edmund/evaluation/features.h"

#include "edmund/core/error.h"
#include "edmund/evaluation/classifier.h"
#include "helpers.h"
#include "support/catch.h"

#include <set>

using namespace edmund;
using Catch::Matchers::WithinRel;
using testing::MemoryDataset;
using testing::stripes;

namespace {

std::unique_ptr<FeatureExtractor> features_of(const std::string& yaml, const FeatureContext& context) {
  Options options = Options::read_text(yaml, "test");
  auto features = make_features(options, context);
  options.finish();
  return features;
}

MemoryDataset unlabeled(const MemoryDataset& data) {
  return {"plain", data.all().images, at::zeros_like(data.all().labels), 0};
}

}  // namespace

TEST_CASE("every extractor is listed once with what it is", "[evaluation]") {
  std::set<std::string_view> names;
  for (const auto& entry : feature_table()) {
    CHECK(names.insert(entry.name).second);
    CHECK_FALSE(entry.about.empty());
    CHECK_FALSE(entry.source.empty());
  }
  CHECK(names == std::set<std::string_view>{"classifier", "efficientnet-lite0", "identity", "inception", "pca"});
}

TEST_CASE("identity features are the pixels in [-1, 1]", "[evaluation]") {
  const auto data = stripes(10, 1);
  const auto features = features_of("type: identity", {.labeled = data});
  const Tensor found = features->extract(data.all().images);
  CHECK(found.sizes() == at::IntArrayRef({10, 64}));
  CHECK((found - (data.all().images.flatten(1).to(at::kDouble) / 127.5 - 1)).abs().max().item<double>() < 1e-6);
  CHECK_THROWS_AS(features->extract(stripes(4, 1, 9).all().images), Error);
}

TEST_CASE("identity features are refused for images of more than 4096 values", "[evaluation]") {
  const MemoryDataset large("large", at::zeros({4, 3, 64, 64}, at::kByte), at::zeros({4}, at::kLong), 0);
  CHECK_THROWS_AS(features_of("type: identity", {.labeled = large}), Error);
}

TEST_CASE("pca features are uncorrelated, in falling order of variance, and keep distances when complete",
          "[evaluation]") {
  const auto data = stripes(200, 2);
  const Tensor images = data.all().images;
  // [200, 64]
  const Tensor found = features_of("{type: pca, dims: 64}", {.labeled = data})->extract(images);
  CHECK(found.scalar_type() == at::kDouble);
  const Tensor centered = found - found.mean(0), covariance = centered.t().mm(centered) / 199;
  const Tensor variances = covariance.diag();
  CHECK(((covariance - variances.diag()).abs().max() / variances.max()).item<double>() < 1e-9);
  CHECK((variances.narrow(0, 0, 63) + 1e-12 >= variances.narrow(0, 1, 63)).all().item<bool>());
  const Tensor pixels = images.flatten(1).to(at::kDouble) / 127.5;
  CHECK_THAT((found[3] - found[7]).norm().item<double>(),
             WithinRel((pixels[3] - pixels[7]).norm().item<double>(), 1e-6));
}

TEST_CASE("pca of fewer images than pixels spans the same directions", "[evaluation]") {
  const auto data = stripes(12, 3);
  const Tensor images = data.all().images;
  const auto features = features_of("{type: pca, dims: 500}", {.labeled = data});
  const Tensor found = features->extract(images), pixels = images.flatten(1).to(at::kDouble) / 127.5;
  CHECK(found.size(1) == 11);  // one less than the images
  CHECK_THAT((found[0] - found[5]).norm().item<double>(),
             WithinRel((pixels[0] - pixels[5]).norm().item<double>(), 1e-6));
  CHECK(features->provenance().find("11 principal components of 12 images of stripes, 100 %") == 0);
}

TEST_CASE("classifier features tell how good the classifier is on held-out images", "[evaluation]") {
  const auto data = stripes(120, 4), test = stripes(60, 5);
  const auto features =
      features_of("{type: classifier, channels: 8, features: 12, epochs: 5}", {.labeled = data, .held_out = &test});
  CHECK(features->name() == "classifier");
  CHECK(features->extract(test.all().images).size(1) == 12);
  REQUIRE(features->classifier() != nullptr);
  CHECK(features->classifier()->num_classes() == 3);
  CHECK(features->provenance().find("of the 60 images of stripes") != std::string::npos);
}

TEST_CASE("the default extractor is the classifier for labeled data, pca otherwise", "[evaluation]") {
  const auto data = stripes(40, 6), plain = unlabeled(data);
  CHECK(features_of("{channels: 4, features: 8, epochs: 1}", {.labeled = data})->name() == "classifier");
  CHECK(features_of("{}", {.labeled = plain})->name() == "pca");
  CHECK_THROWS_AS(features_of("type: classifier", {.labeled = plain}), Error);
}

TEST_CASE("mistakes in the options of features are told", "[evaluation]") {
  const auto data = stripes(40, 7);
  for (const char* text : {"type: inception", "{type: pca, dims: 0}", "{type: pca, dim: 3}",
                           "{type: efficientnet-lite0}", "{type: efficientnet-lite0, file: /nowhere/x.safetensors}",
                           "{type: classifier, epochs: -1}", "{type: identity, dims: 3}"}) {
    INFO(text);
    CHECK_THROWS_AS(features_of(text, {.labeled = data}), Error);
  }
}

TEST_CASE("pca keeps components above rounding alone, and refuses images that do not differ", "[evaluation]") {
  const auto data = stripes(100, 3);
  // Three pictures, each many times: two directions, whatever is asked for.
  const Tensor three = data.all().images.narrow(0, 0, 3).repeat({20, 1, 1, 1});
  const MemoryDataset few("three pictures", three, at::zeros({60}, at::kLong), 0);
  CHECK(features_of("{type: pca, dims: 16}", {.labeled = few})->extract(three).size(1) == 2);
  // Fewer images than pixels, where products of images are decomposed.
  const MemoryDataset some("some", data.all().images.narrow(0, 0, 10), at::zeros({10}, at::kLong), 0);
  CHECK(features_of("{type: pca, dims: 64}", {.labeled = some})->extract(three).size(1) == 9);
  const MemoryDataset one("one picture", three.narrow(0, 0, 1).repeat({80, 1, 1, 1}), at::zeros({80}, at::kLong), 0);
  CHECK_THROWS_WITH(features_of("type: pca", {.labeled = one}),
                    Catch::Matchers::ContainsSubstring("the 80 images of one picture do not differ"));
  // One pixel of one image that is off by one level is a difference.
  Tensor nearly = one.all().images.clone();
  nearly[7][0][2][2] += 1;
  const MemoryDataset off("off", nearly, at::zeros({80}, at::kLong), 0);
  CHECK(features_of("type: pca", {.labeled = off})->extract(nearly).size(1) == 1);
}
