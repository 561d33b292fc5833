#include "edmund/schedules/betas.h"

#include "edmund/core/error.h"
#include "support/catch.h"

#include <cmath>

namespace edmund::testing {
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

TEST_CASE("beta tables start and end where they are told", "[schedules]") {
  for (const char* kind : {"linear", "scaled_linear"}) {
    const auto betas = make_betas(kind, 100, 1e-4, 0.02);
    CHECK_THAT(betas.front(), WithinRel(1e-4, 1e-14));
    CHECK_THAT(betas.back(), WithinRel(0.02, 1e-14));
  }
  CHECK_THAT(make_betas("linear", 101, 0.1, 0.3)[50], WithinRel(0.2, 1e-14));
  CHECK_THAT(make_betas("scaled_linear", 101, 0.01, 0.09)[50], WithinRel(0.04, 1e-14));
  CHECK_THAT(make_betas("sigmoid", 101, 0.1, 0.3)[50], WithinRel(0.2, 1e-14));
  CHECK_THROWS_AS(make_betas("laplace", 10, 0.1, 0.2), Error);
}

TEST_CASE("cosine betas give the cosine up to their clip", "[schedules]") {
  const auto alpha_bar = alphas_cumprod(make_betas("cosine", 1000, 0, 0));
  const auto f = [](double t) { return std::pow(std::cos((t + 0.008) / 1.008 * std::acos(-1.0) / 2), 2); };
  for (const std::size_t t : {1u, 10u, 500u, 990u})
    CHECK_THAT(alpha_bar[t - 1], WithinRel(f(static_cast<double>(t) / 1000) / f(0), 1e-11));
  CHECK(make_betas("cosine", 1000, 0, 0).back() == 0.999);
}

TEST_CASE("sigmoid_alpha_bar gives the logistic function up to its clip", "[schedules]") {
  const auto betas = make_betas("sigmoid_alpha_bar", 1000, 0, 0), alpha_bar = alphas_cumprod(betas);
  const auto f = [](double t) { return 1 / (1 + std::exp(-3.0)) - 1 / (1 + std::exp(3 - 6 * t)); };
  for (const std::size_t t : {1u, 10u, 500u, 990u})
    CHECK_THAT(alpha_bar[t - 1], WithinRel(f(static_cast<double>(t) / 1000) / f(0), 1e-11));
  CHECK(betas.back() == 0.999);
}

TEST_CASE("cosine betas keep their digits where there are a million of them", "[schedules]") {
  // 1 - ᾱ_{i+1}/ᾱ_i in 60 digits (mpmath). Doubles as an angle of 0.01 and more leave 1e-13 of it.
  const auto betas = make_betas("cosine", 1'000'000, 0, 0);
  CHECK_THAT(betas[0], WithinRel(3.885870373858609028e-8, 1e-13));
  CHECK_THAT(betas[10], WithinRel(3.8907279124543604165e-8, 1e-13));
  CHECK_THAT(betas[500'000], WithinRel(3.1557577996596116213e-6, 1e-13));
  CHECK_THAT(make_betas("cosine", 1000, 0, 0)[0], WithinRel(4.1284224821777802353e-5, 1e-13));
}

TEST_CASE("zero terminal SNR keeps the first ᾱ and ends at 0", "[schedules]") {
  const auto betas = make_betas("scaled_linear", 1000, 8.5e-4, 0.012);
  const auto rescaled = with_zero_terminal_snr(betas);
  const auto before = alphas_cumprod(betas), after = alphas_cumprod(rescaled);
  CHECK(rescaled.back() == 1.0);
  CHECK(after.back() == 0.0);
  CHECK_THAT(after.front(), WithinRel(before.front(), 1e-12));
  const double shift = std::sqrt(before.back());
  CHECK_THAT(std::sqrt(after[500]) / std::sqrt(after.front()),
             WithinRel((std::sqrt(before[500]) - shift) / (std::sqrt(before.front()) - shift), 1e-12));
}

}  // namespace edmund::testing
