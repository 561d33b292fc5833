#include "edmund/evaluation/statistics_file.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/evaluation/feature_cache.h"
#include "edmund/evaluation/frechet.h"
#include "edmund/evaluation/scores.h"
#include "edmund/io/npz.h"
#include "helpers.h"
#include "support/catch.h"
#include "support/temporary_folder.h"

#include <cmath>
#include <filesystem>

using namespace edmund;
using testing::normal_rows;
using testing::stripes;

namespace {

namespace fs = std::filesystem;

ReferenceStatistics statistics_of(const Tensor& features) {
  Moments moments;
  moments.add(features);
  return {.mean = moments.mean(), .covariance = moments.covariance(), .count = moments.count()};
}

std::unique_ptr<FeatureExtractor> pca(const Dataset& data) {
  Options options = Options::read_text("{type: pca, dims: 6}", "test");
  return make_features(options, {.labeled = data});
}

/// Counts how often it is asked.
class Counting final : public FeatureExtractor {
 public:
  explicit Counting(std::string fingerprint) : fingerprint_(std::move(fingerprint)) {}
  std::string name() const override { return "counting"; }
  std::string fingerprint() const override { return fingerprint_; }
  Tensor extract(const Tensor& images) const override {
    ++calls;
    return images.to(at::kDouble).flatten(1).narrow(1, 0, 3).contiguous();
  }
  mutable int calls = 0;

 private:
  std::string fingerprint_;
};

}  // namespace

TEST_CASE("statistics come back from their file with every number and the whole record", "[evaluation]") {
  const testing::TemporaryFolder folder;
  ReferenceStatistics written = statistics_of(normal_rows(50, 7, 1));
  written.record = {{"extractor", "pca 1234"}, {"data", "Ziffern – straße train"},
                    {"split", "train"},        {"resize", "area"},
                    {"features", "pca"},       {"edmund", ""}};
  write_file(folder.path() / "ref.npz", statistics_bytes(written));
  const ReferenceStatistics read = read_statistics(folder.path() / "ref.npz");
  CHECK(at::equal(read.mean, written.mean));
  CHECK(at::equal(read.covariance, written.covariance));
  CHECK(read.count == 50);
  CHECK(read.record == written.record);
  CHECK_FALSE(read.spatial_mean.defined());
  CHECK(statistics_bytes(read) == statistics_bytes(written));
}

TEST_CASE("files of other programs are read: mu and sigma alone, and ADM's with spatial ones", "[evaluation]") {
  const testing::TemporaryFolder folder;
  const auto a = statistics_of(normal_rows(40, 5, 2)), b = statistics_of(normal_rows(40, 3, 3));
  write_file(folder.path() / "edm.npz", npz_bytes({{"mu", a.mean}, {"sigma", a.covariance}}));
  write_file(folder.path() / "adm.npz", npz_bytes({{"arr_0", at::zeros({4, 2, 2, 3}, at::kByte)},
                                                   {"mu", a.mean.to(at::kFloat)},
                                                   {"sigma", a.covariance.to(at::kFloat)},
                                                   {"mu_s", b.mean},
                                                   {"sigma_s", b.covariance}}));
  const auto edm = read_statistics(folder.path() / "edm.npz"), adm = read_statistics(folder.path() / "adm.npz");
  CHECK(at::equal(edm.mean, a.mean));
  CHECK_FALSE(edm.count.has_value());
  CHECK(edm.record.empty());
  CHECK(adm.mean.scalar_type() == at::kDouble);
  CHECK(at::allclose(adm.covariance, a.covariance, 1e-6));
  CHECK(at::equal(adm.spatial_covariance, b.covariance));
}

TEST_CASE("a reference is at distance 0 of itself, and of the images that it was taken of", "[evaluation]") {
  const auto data = stripes(200, 4);
  const auto features = pca(data);
  auto statistics = statistics_of(features->extract(data.all().images));
  statistics.record["extractor"] = features->fingerprint();
  const double size = statistics.covariance.trace().item<double>();
  CHECK(frechet_distance(statistics.mean, statistics.covariance, statistics.mean, statistics.covariance) <=
        1e-12 * size);
  const Reference reference(*features, data.all().images, 0, {.metrics = {"frechet"}, .statistics = statistics});
  const auto scores = reference.scores(data.all().images);
  REQUIRE(scores.size() == 1);
  CHECK(scores[0].value <= 1e-12 * size);
  CHECK(scores[0].floor <= 1e-12 * size);
  CHECK(scores[0].ceiling > 0.1 * size);
}

TEST_CASE("statistics of another extractor are refused, and unnamed ones too unless features are Inception's",
          "[evaluation]") {
  const auto data = stripes(100, 5), other = stripes(100, 6);
  const auto features = pca(data), learned_elsewhere = pca(other);
  auto statistics = statistics_of(features->extract(data.all().images));
  CHECK_THROWS_AS(require_same_features(statistics, *features, 6), Error);  // no record
  statistics.record["extractor"] = features->fingerprint();
  CHECK_NOTHROW(require_same_features(statistics, *features, 6));
  CHECK_THROWS_AS(require_same_features(statistics, *learned_elsewhere, 6), Error);
  CHECK_THROWS_AS(require_same_features(statistics, *features, 7), Error);
  CHECK_THROWS_AS(Reference(*learned_elsewhere, data.all().images, 0, {.statistics = statistics}), Error);
}

TEST_CASE("statistics that are none are refused", "[evaluation]") {
  const testing::TemporaryFolder folder;
  const auto fine = statistics_of(normal_rows(30, 4, 7));
  const auto refused = [&](const std::vector<std::pair<std::string, Tensor>>& arrays) {
    write_file(folder.path() / "x.npz", npz_bytes(arrays));
    CHECK_THROWS_AS(read_statistics(folder.path() / "x.npz"), Error);
  };
  refused({{"mu", fine.mean}});
  refused({{"mu", fine.mean}, {"sigma", fine.covariance.narrow(0, 0, 3)}});
  refused({{"mu", fine.mean * std::nan("")}, {"sigma", fine.covariance}});
  refused({{"mu", fine.mean}, {"sigma", -fine.covariance}});
  refused({{"mu", fine.mean}, {"sigma", fine.covariance.triu()}});
  refused({{"mu", fine.mean}, {"sigma", fine.covariance}, {"count", at::tensor(std::int64_t{1})}});
  write_file(folder.path() / "x.npz", "no zip");
  CHECK_THROWS_AS(read_statistics(folder.path() / "x.npz"), Error);
  CHECK_THROWS_AS(read_statistics(folder.path() / "edm2.pkl"), Error);
}

TEST_CASE("features of images seen before come from the cache, those of others and of damaged files do not",
          "[evaluation]") {
  const testing::TemporaryFolder folder;
  const Tensor images = stripes(20, 8).all().images, others = stripes(20, 9).all().images;
  const auto cached = [&](const std::string& fingerprint, Counting*& inner) {
    auto features = std::make_unique<Counting>(fingerprint);
    inner = features.get();
    return cached_features(std::move(features), folder.path() / "cache");
  };
  Counting* first = nullptr;
  const auto a = cached("a", first);
  const Tensor expected = a->extract(images);
  CHECK(at::equal(a->extract(images), expected));
  CHECK(first->calls == 1);
  a->extract(others);
  a->extract(images.view({10, 2, 8, 8}));  // the same bytes in another shape
  CHECK(first->calls == 3);

  Counting* second = nullptr;
  const auto same = cached("a", second);
  CHECK(at::equal(same->extract(images), expected));
  CHECK(second->calls == 0);
  Counting* different = nullptr;
  const auto other = cached("b", different);
  other->extract(images);
  CHECK(different->calls == 1);
  Counting* unknown = nullptr;
  const auto without = cached("", unknown);
  without->extract(images), without->extract(images);
  CHECK(unknown->calls == 2);

  for (const auto& entry : fs::directory_iterator(folder.path() / "cache")) {
    std::string bytes = read_file(entry.path());
    bytes[bytes.size() - 5] ^= 1;
    write_file(entry.path(), bytes.substr(0, bytes.size() - (bytes.size() % 2)));
  }
  Counting* third = nullptr;
  const auto again = cached("a", third);
  CHECK(at::equal(again->extract(images), expected));
  CHECK(third->calls == 1);
  CHECK(at::equal(again->extract(images), expected));  // mended
  CHECK(third->calls == 1);
}
