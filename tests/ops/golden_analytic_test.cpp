#include "support/catch.h"
#include "support/golden.h"
#include "support/mixture.h"

#include <limits>

using namespace edmund;
using testing::Golden;
using testing::Mixture;

TEST_CASE("The Gaussian mixture's denoiser, score and density equal the golden file's", "[ops][golden]") {
  testing::for_each_golden({"analytic_"}, [](Golden& golden) {
    const auto mixture = Mixture::from(golden);
    const Tensor x = golden.real("x"), noisy = golden.real("x_noisy"), D = golden.real("denoised"),
                 score = golden.real("score");
    const Tensor density = golden.real("log_density");
    const auto sigmas = golden.reals("sigma");
    golden.check_each_of("shape of sample", at::tensor(x.sizes().slice(1)),
                         at::tensor(golden.settings().at("sample_shape").get<std::vector<std::int64_t>>()), 0.0);
    golden.check("components", mixture.means.size(0) == golden.settings().at("components").get<std::int64_t>());
    for (std::size_t i = 0; i < sigmas.size(); ++i) {
      const auto row = static_cast<std::int64_t>(i);
      const Tensor z = noisy[row];
      golden.check_max_of("x_noisy", x * (1.0 + sigmas[i]), z, 1e-15);
      golden.check_max_of("denoised", mixture.denoiser()(z, sigmas[i]), D[row], 1e-11);
      // (D - z)/σ²: the difference is rounded by some ulps of z, there as here.
      const double rounding = 8 * std::numeric_limits<double>::epsilon() * z.abs().max().item<double>();
      golden.check_each_of("score", mixture.score(z, sigmas[i]), score[row], 0.0,
                           1e-11 * score[row].abs().max().item<double>() + rounding / (sigmas[i] * sigmas[i]));
      golden.check_max_of("log_density", mixture.log_density(z, sigmas[i]), density[row], 1e-11);
    }
  });
}
