#include "edmund/diffusion/denoiser.h"

#include "support/catch.h"

#include <algorithm>
#include <ATen/ATen.h>

using namespace edmund;

namespace {

Denoiser times(double factor) {
  return [factor](const Tensor& z, double sigma) { return z * factor + sigma; };
}

Tensor image() { return at::linspace(-3, 3, 12, at::kDouble).reshape({1, 3, 2, 2}); }

}  // namespace

TEST_CASE("counted counts calls, whatever the batch", "[diffusion]") {
  const auto count = std::make_shared<std::int64_t>(0);
  const Denoiser D = counted(times(2), count), copy = D;
  CHECK(D(image(), 1.0).equal(times(2)(image(), 1.0)));
  copy(at::zeros({7, 3, 2, 2}), 0.5);
  CHECK(*count == 2);
  counted(times(2), count, 2)(image(), 0.5);
  CHECK(*count == 4);
}

TEST_CASE("recorded keeps every evaluation in order, unharmed by later changes", "[diffusion]") {
  const auto trace = std::make_shared<std::vector<Evaluation>>();
  const Denoiser D = recorded(times(2), trace);
  Tensor z = image();
  const Tensor first = D(z, 3.0);
  z.zero_();
  first.zero_();
  D(image() + 1, 1.0);
  REQUIRE(trace->size() == 2);
  CHECK((*trace)[0].z.equal(image()));
  CHECK((*trace)[0].sigma == 3.0);
  CHECK((*trace)[0].denoised.equal(times(2)(image(), 3.0)));
  CHECK((*trace)[1].sigma == 1.0);
}

TEST_CASE("clipped cuts D to its range", "[diffusion]") {
  const Tensor D = clipped(times(1), {-1, 1})(image(), 0.0);
  CHECK(D.min().item<double>() == -1.0);
  CHECK(D.max().item<double>() == 1.0);
  CHECK(D.equal(image().clamp(-1, 1)));
}

TEST_CASE("thresholded divides by the quantile of |D| of each image where that is above 1", "[diffusion]") {
  // |D| of the first image is 0.2, 0.4 … 4.0, so that its quantile at p is 0.2 + 3.8 p; the second
  // image stays inside [-1, 1].
  const Tensor steps = at::arange(1, 21, at::kDouble) * 0.2, sign = 1 - 2 * (at::arange(20, at::kDouble) % 2);
  const Tensor z = at::stack({steps * sign, steps * sign / 5}).reshape({2, 1, 4, 5});
  for (const double p : {0.5, 0.9, 0.995, 1.0}) {
    const double s = 0.2 + 3.8 * p;
    const Tensor D = thresholded(times(1), p)(z, 0.0);
    CHECK((D[0] - (z[0].clamp(-s, s) / s)).abs().max().item<double>() < 1e-14);
    CHECK(D[1].equal(z[1].clamp(-1, 1)));  // its quantiles are at most 0.8
    CHECK(D.abs().max().item<double>() <= 1.0);
    const double most = 1.5, cut = std::min(s, most);
    CHECK((thresholded(z, p, most)[0] - z[0].clamp(-cut, cut) / cut).abs().max().item<double>() < 1e-14);
  }
  const Tensor low = thresholded(times(1), 0.9)(z.to(at::kFloat), 0.0);
  CHECK(low.scalar_type() == at::kFloat);
}

TEST_CASE("guided is D_u + w·(D_c - D_u) on every channel", "[diffusion]") {
  const Tensor c = times(2)(image(), 0.3), u = times(-1)(image(), 0.3);
  for (const double w : {0.0, 1.0, 2.5, -0.5})
    CHECK((guided(times(2), times(-1), w)(image(), 0.3) - (u + w * (c - u))).abs().max().item<double>() < 1e-14);
}

TEST_CASE("limited_to guides inside its interval, ends included, and calls one denoiser only", "[diffusion]") {
  const auto inside = std::make_shared<std::int64_t>(0), outside = std::make_shared<std::int64_t>(0);
  const Denoiser D = limited_to({0.5, 2.0}, counted(times(2), inside), counted(times(1), outside));
  for (const double sigma : {0.5, 1.0, 2.0}) CHECK(D(image(), sigma).equal(times(2)(image(), sigma)));
  for (const double sigma : {0.1, 0.499, 2.001, 80.0}) CHECK(D(image(), sigma).equal(times(1)(image(), sigma)));
  CHECK(*inside == 3);
  CHECK(*outside == 4);
}
