#include "edmund/diffusion/interpolated_noise.h"

#include "support/catch.h"

#include <ATen/ATen.h>

using namespace edmund;

TEST_CASE("interpolated noise ends at the draws of both images, at every draw", "[diffusion]") {
  InterpolatedNoise between(5, 3, 8, {0.0, 0.5, 1.0}, at::kDouble, at::kCPU);
  PhiloxNoise ends(5, {3, 8}, at::kDouble, at::kCPU);
  for (int k = 0; k < 3; ++k) {
    const Tensor x = between.normal({2, 4, 4}), truth = ends.normal({2, 4, 4});
    CHECK(x[0].equal(truth[0]));
    CHECK(x[2].equal(truth[1]));
    // Halfway on the arc: the same angle to both, in their plane: (a + b)/(2 cos(θ/2)).
    const Tensor a = truth[0], b = truth[1];
    const double cosine = ((a * b).sum() / (a.norm() * b.norm())).item<double>();
    CHECK((x[1] - (a + b) / std::sqrt(2 * (1 + cosine))).abs().max().item<double>() < 1e-12);
  }
}

TEST_CASE("between independent draws the norm stays that of a draw", "[diffusion]") {
  std::vector<double> fractions;
  for (int i = 0; i <= 10; ++i) fractions.push_back(i / 10.0);
  InterpolatedNoise between(1, 0, 1, fractions, at::kDouble, at::kCPU);
  const Tensor x = between.normal({3, 32, 32});
  const Tensor mean_square = x.square().flatten(1).mean(1);  // 1 ± √(2/3072) each
  CHECK((mean_square - 1).abs().max().item<double>() < 5 * std::sqrt(2.0 / 3072));
}

TEST_CASE("an image interpolated with itself stays", "[diffusion]") {
  InterpolatedNoise same(5, 3, 3, {0.0, 0.3, 1.0}, at::kDouble, at::kCPU);
  const Tensor x = same.normal({1, 4, 4});
  CHECK((x - x[0]).abs().max().item<double>() < 1e-12);
}
