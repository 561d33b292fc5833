#include "edmund/samplers/inversion.h"

#include "edmund/core/error.h"
#include "samplers/correlated.h"
#include "samplers/gaussian.h"
#include "support/catch.h"
#include "support/mixture.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/tensor.h>
#include <cmath>

namespace edmund::testing {
using Catch::Matchers::WithinAbs;

namespace {

Mixture two_modes() {
  return {at::tensor({-1.0, 0.4, 1.0, 0.2}, at::kDouble).reshape({2, 2}), at::tensor({0.4, 0.7}, at::kDouble),
          at::tensor({0.4, 0.6}, at::kDouble)};
}

Tensor images() { return (at::arange(8, at::kDouble).cos() * 1.1).reshape({4, 1, 1, 2}); }

// Root mean square of image → latent → image less the image.
double round_trip(const Denoiser& D, const NoiseSchedule& schedule, const Sampler& sampler, int N) {
  const TimeGrid grid = smooth_grid(schedule, N);
  const Tensor x = inverted(D, schedule, grid, sampler, images());
  return (reconstructed(D, schedule, grid, sampler, x) - images()).square().mean().sqrt().item<double>();
}

}  // namespace

TEST_CASE("the error of a round trip falls at the order of the sampler", "[samplers]") {
  for (const auto& entry : schedule_table()) {
    const auto schedule = schedule_of("{type: " + example_of(entry) + "}");
    if (!schedule->levels().empty() || !schedule->clock().knots.empty())
      continue;  // the slope of a table jumps at its entries
    for (const auto& [sampler, order] :
         {std::pair{"{type: euler, final: none}", 1.0}, std::pair{"{type: ddim, final: none}", 1.0},
          std::pair{"{type: heun, final: none}", 2.0}}) {
      const Sampler made_sampler = made(make_sampler, sampler);
      const Denoiser D = two_modes().denoiser();
      const double coarse = round_trip(D, *schedule, made_sampler, 200),
                   fine = round_trip(D, *schedule, made_sampler, 400);
      INFO(sampler << " on " << entry.name << ": " << coarse << ", " << fine);
      CHECK(fine < coarse);
      // Errors of the two ways cancel in part, so that a round trip may converge faster, but not
      // more slowly.
      CHECK(std::log2(coarse / fine) > order - 0.15);
    }
  }
}

TEST_CASE("the latent of a Gaussian's image is where its ODE ends", "[samplers]") {
  const Gaussian data;
  const auto schedule = schedule_of("{type: vp}");
  const TimeGrid grid = smooth_grid(*schedule, 2000);
  const double t = grid.t.front(), u = grid.t.back();
  const Tensor x =
      inverted(data.denoiser(), *schedule, grid, made(make_sampler, "{type: heun, final: none}"), images());
  const Tensor z = x / schedule->scale(t);
  for (std::int64_t i = 0; i < 8; ++i)
    CHECK_THAT(z.flatten()[i].item<double>(),
               WithinAbs(data.transported(images().flatten()[i].item<double>(), schedule->sigma(u), schedule->sigma(t)),
                         1e-4 * schedule->sigma(t)));
}

TEST_CASE("samplers that draw noise do not invert", "[samplers]") {
  const auto schedule = schedule_of("{type: edm}");
  const Denoiser D = two_modes().denoiser();
  for (const char* sampler : {"{type: ancestral, final: none}", "{type: reverse_sde, final: none}",
                              "{type: heun, S_churn: 10, final: none}", "{type: ddim, eta: 0.5, final: none}"}) {
    INFO(sampler);
    CHECK_THROWS_AS(round_trip(D, *schedule, made(make_sampler, sampler), 8), Error);
  }
}

}  // namespace edmund::testing
