#include "edmund/diffusion/noise_source.h"

#include "edmund/ops/random.h"
#include "support/catch.h"
#include "support/kernels.h"

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

TEST_CASE("A draw for a sum has the numbers of the draw in its turn, for image numbers in a tensor too",
          "[diffusion]") {
  const auto kernels = GENERATE(ops::Kernels::kReference, ops::Kernels::kFast);
  const testing::UseKernels use(kernels);
  const std::vector<std::int64_t> images{3, 8};
  for (const auto dtype : {at::kDouble, at::kFloat}) {
    PhiloxNoise drawn(5, images, dtype, at::kCPU), summed(5, at::tensor(images), dtype);
    for (std::uint32_t k = 0; k < 3; ++k) {
      const Tensor x = at::full({2, 3, 5, 5}, 0.25, at::kDouble);
      const Tensor sum = 0.5 * ops::Sum(x) + 2.0 * summed.draw(x);
      CHECK(at::allclose(sum, 0.5 * x + 2.0 * drawn.normal({3, 5, 5}).to(at::kDouble), 1e-14, 1e-14));
      CHECK(summed.draws() == k + 1);
    }
  }
}
