#include "edmund/diffusion/noise_source.h"

#include "edmund/ops/random.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <vector>

using namespace edmund;

namespace {

std::vector<std::int64_t> range(std::int64_t n) {
  std::vector<std::int64_t> out;
  for (std::int64_t i = 0; i < n; ++i) out.push_back(i);
  return out;
}

}  // namespace

TEST_CASE("64 batches of one image and one of 64 get the same noise, on any number of threads", "[diffusion]") {
  PhiloxNoise together(5, range(64), at::kFloat, at::kCPU);
  const Tensor first = together.normal({3, 8, 8}), second = together.normal({3, 8, 8});
  CHECK(first.sizes() == at::IntArrayRef{64, 3, 8, 8});
  CHECK_FALSE(first.equal(second));
  for (const int threads : {1, 2, 4}) {
    at::set_num_threads(threads);
    for (const auto i : range(64)) {
      PhiloxNoise one(5, {i}, at::kFloat, at::kCPU);
      REQUIRE(one.normal({3, 8, 8})[0].equal(first[i]));
      REQUIRE(one.normal({3, 8, 8})[0].equal(second[i]));
    }
  }
}

TEST_CASE("The k-th draw is draw k of the image's stream", "[diffusion]") {
  const std::vector<std::int64_t> images{4, 1000};
  PhiloxNoise noise(9, images, at::kDouble, at::kCPU);
  for (std::uint32_t k = 0; k < 3; ++k)
    CHECK(noise.normal({1, 2, 2}).equal(ops::normal(9, Stream::kLatent, images, k, {1, 2, 2}, at::kDouble, at::kCPU)));
}

TEST_CASE("Other seeds and streams give other noise", "[diffusion]") {
  const auto draw = [](std::uint64_t seed, Stream stream) {
    return PhiloxNoise(seed, {0}, at::kFloat, at::kCPU, stream).normal({16});
  };
  CHECK(draw(1, Stream::kLatent).equal(draw(1, Stream::kLatent)));
  CHECK_FALSE(draw(1, Stream::kLatent).equal(draw(2, Stream::kLatent)));
  CHECK_FALSE(draw(1, Stream::kLatent).equal(draw(1, Stream::kEvaluation)));
}
