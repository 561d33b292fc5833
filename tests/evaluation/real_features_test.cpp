#include "edmund/evaluation/real_features.h"

#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/stop.h"
#include "edmund/evaluation/feature_cache.h"
#include "edmund/evaluation/images_in_files.h"
#include "edmund/io/tensor_file.h"
#include "helpers.h"
#include "support/catch.h"
#include "support/temporary_folder.h"

#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

using namespace edmund;
using testing::MemoryDataset;
using testing::normal_rows;

namespace {

/// Two numbers an image; counts the images, and asks for a stop after so many.
class Counted final : public FeatureExtractor {
 public:
  explicit Counted(std::int64_t stop_after = 1 << 30) : stop_after_(stop_after) {}
  std::string name() const override { return "counted"; }
  std::string fingerprint() const override { return "counted 1"; }
  Tensor extract(const Tensor& images) const override {
    seen += images.size(0);
    if (seen >= stop_after_) StopRequest::request();
    const Tensor x = images.to(at::kFloat).flatten(1);
    return at::stack({x.mean(1), x.std(1)}, 1);
  }
  mutable std::atomic<std::int64_t> seen = 0;

 private:
  std::int64_t stop_after_;
};

MemoryDataset pictures(std::int64_t count) {
  const Tensor images = (127.5 + 40 * normal_rows(count, 16, 3)).clamp(0, 255).to(at::kByte).view({count, 1, 4, 4});
  return {"pictures", images, at::arange(count) % 3, 3};
}

}  // namespace

TEST_CASE("features of all images are summed, and those of a seeded choice kept with their classes", "[evaluation]") {
  const auto data = pictures(1130);
  const Counted features;
  const RealFeatures all = real_features(features, data),
                     some = real_features(features, data, {.kept = 100, .seed = 1}),
                     same = real_features(features, data, {.kept = 100, .seed = 1}),
                     other = real_features(features, data, {.kept = 100, .seed = 2});
  const Tensor expected = features.extract(data.all().images).to(at::kDouble);
  CHECK(all.kept.equal(expected));
  CHECK(all.labels.equal(data.all().labels));
  CHECK(all.noise.size(0) == 565);
  CHECK(some.moments.count() == 1130);
  CHECK((some.moments.mean() - expected.mean(0)).abs().max().item<double>() < 1e-10);
  CHECK(some.kept.size(0) == 100);
  CHECK(some.labels.size(0) == 100);
  CHECK(some.kept.equal(same.kept));
  CHECK_FALSE(some.kept.equal(other.kept));
  const Moments moments = feature_moments(features, data);
  CHECK(moments.mean().equal(all.moments.mean()));
  CHECK(moments.covariance().equal(some.moments.covariance()));
}

TEST_CASE("sums that were made before an interruption are taken up, to the same numbers", "[evaluation]") {
  const testing::TemporaryFolder folder;
  // Images whose fingerprint is known.
  class Known final : public Dataset {
   public:
    DatasetInfo info() const override { return data_.info(); }
    Batch read(std::span<const std::int64_t> indices) const override { return data_.read(indices); }
    DataFingerprint fingerprint() const override { return {data_.info().size, "content", "labels"}; }

   private:
    MemoryDataset data_ = pictures(1130);
  };
  const Known data;
  const RealSettings settings{.kept = 100, .seed = 1, .unfinished = folder.path() / "unfinished"};
  {
    const StopRequest stop;
    const Counted first(500);
    CHECK_THROWS_AS(real_features(first, data, settings), Interrupted);
    CHECK(first.seen == 500);
  }
  const Counted second;
  const RealFeatures found = real_features(second, data, settings),
                     whole = real_features(Counted(), data, {.kept = 100, .seed = 1});
  CHECK(second.seen == 1130 - 500 + 50);  // and the noise
  CHECK(found.moments.count() == 1130);
  CHECK(found.moments.mean().equal(whole.moments.mean()));
  CHECK(found.moments.covariance().equal(whole.moments.covariance()));
  CHECK(found.kept.equal(whole.kept));
  CHECK(found.labels.equal(whole.labels));
  CHECK(found.noise.equal(whole.noise));
  CHECK(std::filesystem::is_empty(settings.unfinished));
}

TEST_CASE("images in files are read a file at a time, in whatever order they are asked for", "[evaluation]") {
  const testing::TemporaryFolder folder;
  const auto data = pictures(23);
  const auto file = [&](std::int64_t first) { return folder.path() / std::to_string(first); };
  for (std::int64_t first = 0; first < 23; first += 10)
    write_file(file(first),
               tensor_bytes({{"images", data.all().images.narrow(0, first, std::min<std::int64_t>(10, 23 - first))}}));
  const auto there = images_in_files("there", 23, 10, file);
  CHECK(there->info().size == 23);
  CHECK(read_all(*there).images.equal(data.all().images));
  const std::vector<std::int64_t> some = {22, 3, 4, 9, 10, 3};
  CHECK(there->read(some).images.equal(data.read(some).images));
  const Counted features;
  Tensor seen = at::empty({0, 1, 4, 4}, at::kByte);
  const Tensor found = features_of(features, *there, [&](const Tensor& images) { seen = at::cat({seen, images}); });
  CHECK(found.equal(features.extract(data.all().images).to(at::kDouble)));
  CHECK(seen.equal(data.all().images));
  write_file(file(10), tensor_bytes({{"images", data.all().images.narrow(0, 0, 9)}}));
  CHECK_THROWS_AS(there->read(some), Error);
}

TEST_CASE("blocks that were finished before an interruption are not computed again", "[evaluation]") {
  const testing::TemporaryFolder folder;
  const auto data = pictures(1130);
  {
    const StopRequest stop;
    auto owner = std::make_unique<Counted>(500);
    const Counted& first = *owner;
    const auto cached = cached_features(std::move(owner), folder.path());
    CHECK_THROWS_AS(real_features(*cached, data), Interrupted);
    CHECK(first.seen == 500);
  }
  auto again = std::make_unique<Counted>();
  const Counted& second = *again;
  const RealFeatures found = real_features(*cached_features(std::move(again), folder.path()), data);
  CHECK(second.seen == 1130 - 500 + 565);  // and the noise
  CHECK(found.kept.equal(real_features(Counted(), data).kept));
}
