#include "edmund/evaluation/metrics.h"

#include "edmund/core/error.h"
#include "helpers.h"
#include "support/catch.h"

#include <cmath>

using namespace edmund;
using testing::stripes;

namespace {

std::vector<std::string> all_metrics() {
  std::vector<std::string> out;
  for (const auto& entry : metric_table()) out.emplace_back(entry.name);
  return out;
}

std::unique_ptr<FeatureExtractor> features_of(const std::string& yaml, const Dataset& data) {
  Options options = Options::read_text(yaml, "test");
  return make_features(options, {.labeled = data});
}

const Score& named(const std::vector<Score>& scores, const std::string& start) {
  for (const Score& score : scores)
    if (score.name.starts_with(start)) return score;
  throw Error("no score " + start);
}

}  // namespace

TEST_CASE("every metric puts real images at its floor and noise at its ceiling", "[evaluation]") {
  const auto data = stripes(400, 1), fresh = stripes(300, 2);
  const auto features = features_of("{type: classifier, channels: 8, features: 12, epochs: 6}", data);
  const Reference reference(*features, data.all().images, 0, {.metrics = all_metrics()});
  const auto scores = reference.scores(fresh.all().images);
  CHECK(scores.size() >= metric_table().size());
  CHECK(scores.size() >= 11);  // some rows have several
  for (const Score& score : scores) {
    INFO(score.name << " " << score.value << " ± " << score.error.value_or(0.0) << ", floor " << score.floor
                    << ", ceiling " << score.ceiling);
    CHECK(std::isfinite(score.value));
    CHECK(std::abs(score.closed().value() - 1) < 0.25);
    CHECK(score.name.find("FID") == std::string::npos);
  }
  const auto noise =
      reference.scores(at::randint(0, 256, {300, 1, 8, 8}, at::detail::createCPUGenerator(3)).to(at::kByte));
  for (const Score& score : noise) {
    INFO(score.name << " " << score.value << ", floor " << score.floor << ", ceiling " << score.ceiling);
    CHECK(std::abs(score.closed().value()) < 0.25);
  }
}

TEST_CASE("copies of the data give themselves away by the nearest images alone", "[evaluation]") {
  const auto data = stripes(300, 4);
  const auto features = features_of("{type: pca, dims: 20}", data);
  const Reference reference(*features, data.all().images, 0, {.metrics = {"nearest", "precision_recall"}});
  const auto scores = reference.scores(data.all().images.narrow(0, 0, 150));
  CHECK(named(scores, "Distance to the nearest").value < 1e-9);
  CHECK(named(scores, "Share nearer").value == 1.0);
  CHECK(named(scores, "Share nearer").floor < 0.8);
  CHECK(named(scores, "Precision").value > 0.5);
}

TEST_CASE("what is wrong with a metric's name is told with the name that is meant", "[evaluation]") {
  CHECK(metric_fault("kid").empty());
  CHECK(metric_fault("fid") == "unknown metric 'fid'; the Fréchet distance is 'frechet'");
  CHECK(metric_fault("frechett") == "unknown metric 'frechett'; did you mean 'frechet'?");
}

TEST_CASE("scores come in the order asked for, and unknown metrics are refused with the nearest name", "[evaluation]") {
  const auto data = stripes(60, 5);
  const auto features = features_of("{type: pca, dims: 4}", data);
  const auto scores =
      Reference(*features, data.all().images, 0, {.metrics = {"kid", "frechet"}}).scores(data.all().images);
  REQUIRE(scores.size() == 2);
  CHECK(scores[0].name == "Kernel distance (pca, 4-d)");
  CHECK(scores[1].name == "Fréchet distance (pca, 4-d)");
  const auto refusal = [&](const char* metric) {
    try {
      Reference(*features, data.all().images, 0, {.metrics = {metric}}).scores(data.all().images);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(refusal("frechett").find("did you mean 'frechet'") != std::string::npos);
  CHECK(refusal("inception_score").find("no classes") != std::string::npos);
}
