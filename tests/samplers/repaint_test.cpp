// Inpainting of a Gaussian of two pixels, where the law of one given the other is known.
#include "edmund/samplers/repaint.h"

#include "edmund/core/error.h"
#include "samplers/correlated.h"
#include "samplers/gaussian.h"
#include "support/catch.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <cmath>
#include <numeric>

namespace edmund::testing {
namespace {

constexpr double kCorrelation = 0.8, kFirst = 0.5, kSecond = 0.7;
constexpr std::int64_t kImages = 2000;

Correlated pair() {
  const double shared = kCorrelation * kFirst * kSecond;
  return {at::tensor({0.2, -0.3}, at::kDouble),
          at::tensor({kFirst * kFirst, shared, shared, kSecond * kSecond}, at::kDouble).reshape({2, 2})};
}

// What remains between the drawn second pixels and their law given that the first is 1.5 deviations
// above its mean.
struct Misfit {
  double mean, std;  // relative to the conditional deviation
};

Misfit misfit(const std::string& type, const Repainting& settings, int N) {
  const auto schedule = schedule_of("{type: " + type + "}");
  const Correlated data = pair();
  const Tensor image = at::tensor({0.2 + 1.5 * kFirst, 100.0}, at::kDouble).reshape({1, 1, 1, 2});
  const Tensor mask = at::tensor({0.0, 1.0}, at::kDouble).reshape({1, 1, 2});
  std::vector<std::int64_t> numbers(kImages);
  std::iota(numbers.begin(), numbers.end(), 0);
  PhiloxNoise noise(11, numbers, at::kDouble, at::kCPU);
  const TimeGrid grid = smooth_grid(*schedule, N);
  const auto count = std::make_shared<std::int64_t>(0);
  const Tensor x = initial_state(*schedule, grid, noise, {1, 1, 2});
  const Tensor painted =
      // [B, 2]
      repainted(image, mask, settings)(counted(data.denoiser(), count), *schedule, grid, x, noise).flatten(1);
  // known pixels stay as they are
  CHECK(painted.select(1, 0).eq(image.flatten()[0]).all().item<bool>());
  CHECK(*count == N * settings.resamples + 1);
  const double mean = -0.3 + kCorrelation * kSecond * 1.5, std = kSecond * std::sqrt(1 - kCorrelation * kCorrelation);
  const Tensor second = painted.select(1, 1);
  return {(second.mean().item<double>() - mean) / std, second.std().item<double>() / std - 1};
}

}  // namespace

// Standard error of a mean of kImages values of about the conditional deviation.
const double kError = 1 / std::sqrt(static_cast<double>(kImages));

TEST_CASE("RePaint approaches the conditional law as it resamples, replacement does not", "[samplers]") {
  // All steps are linear and all noise Gaussian: propagated in closed form, the misfits of the mean
  // are -1.051, -0.350 and -0.065, those of the deviation 0.185, 0.004 and -0.055 (on 80 steps with
  // 100 rounds -0.037 and -0.029).
  const Misfit replaced = misfit("edm", {}, 40), some = misfit("edm", {.resamples = 5}, 40),
               many = misfit("edm", {.resamples = 40}, 40);
  INFO("mean " << replaced.mean << ", " << some.mean << ", " << many.mean << "; std " << replaced.std << ", "
               << some.std << ", " << many.std);
  CHECK(std::abs(replaced.mean + 1.051) < 5 * 1.2 * kError);
  CHECK(std::abs(some.mean + 0.350) < 5 * kError);
  CHECK(std::abs(many.mean + 0.065) < 5 * kError);
  CHECK(std::abs(replaced.std - 0.185) < 5 * kError);  // the error of a deviation is 1/√2 of that
  CHECK(std::abs(many.std + 0.055) < 5 * kError);
}

TEST_CASE("RePaint is the same on every clock", "[samplers]") {
  const Misfit edm = misfit("edm", {.resamples = 3}, 20);
  for (const auto& entry : schedule_table()) {
    const Misfit other = misfit(example_of(entry), {.resamples = 3}, 20);
    INFO(entry.name);
    CHECK(std::abs(other.mean - edm.mean) < 1e-6);
    CHECK(std::abs(other.std - edm.std) < 1e-6);
  }
}

TEST_CASE("longer jumps resample too; one over the whole grid starts anew and is replacement", "[samplers]") {
  for (const auto& [jump, mean] : {std::pair{3, -0.204}, std::pair{10, -0.296}, std::pair{64, -1.051}}) {
    const Misfit found = misfit("edm", {.resamples = 10, .jump = jump}, 40);
    INFO("jump " << jump << ": mean " << found.mean << ", std " << found.std);
    CHECK(std::abs(found.mean - mean) < 5 * 1.2 * kError);
  }
}

TEST_CASE("DDIM steps between replacements need no noise of their own", "[samplers]") {
  // With nothing known it is DDIM; the draws for the known part go nowhere.
  const auto schedule = schedule_of("{type: edm}");
  const TimeGrid grid = smooth_grid(*schedule, 10);
  PhiloxNoise noise(11, {0, 1, 2}, at::kDouble, at::kCPU);
  const Tensor x = initial_state(*schedule, grid, noise, {1, 1, 2}), all = at::ones({1, 1, 1}, at::kDouble);
  const Tensor image = at::zeros({1, 1, 1, 2}, at::kDouble);
  const Tensor painted = repainted(image, all, {.eta = 0.0})(pair().denoiser(), *schedule, grid, x, noise);
  const Tensor ddim = made(make_sampler, "{type: ddim}")(pair().denoiser(), *schedule, grid, x, noise);
  CHECK((painted - ddim).abs().max().item<double>() < 1e-12);
}

TEST_CASE("RePaint refuses counts below one", "[samplers]") {
  const Tensor one = at::ones({1, 1, 1, 1}, at::kDouble);
  CHECK_THROWS_AS(repainted(one, one, {.resamples = 0}), Error);
  CHECK_THROWS_AS(repainted(one, one, {.jump = 0}), Error);
}

}  // namespace edmund::testing
