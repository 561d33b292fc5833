#include "edmund/training/ema.h"

#include "helpers.h"
#include "support/catch.h"

#include <cmath>

using namespace edmund;
using namespace edmund::testing;
using Catch::Matchers::WithinAbs;
using Catch::Matchers::WithinRel;

namespace {

EmaDecay ema(const std::string& text) {
  Options options = Options::read_text(text, "ema");
  EmaDecay decay = make_ema(options);
  options.finish();
  return decay;
}

/// Share of the weights at the beginning that is left in the EMA after so many steps.
double remaining(const EmaDecay& decay, std::int64_t steps, std::int64_t batch) {
  double share = 1.0;
  for (std::int64_t i = 0; i < steps; ++i) share *= decay({.step = i + 1, .images = i * batch, .batch_size = batch});
  return share;
}

}  // namespace

TEST_CASE("half_life halves the share of old weights in its number of images, whatever the batch", "[training]") {
  for (const char* ramp : {"null", "0"}) {
    const auto decay = ema(format("{type: half_life, half_life: 6400, ramp: {}}", ramp));
    CHECK_THAT(remaining(decay, 100, 64), WithinRel(0.5, 1e-12));
    CHECK_THAT(remaining(decay, 25, 256), WithinRel(0.5, 1e-12));
  }
}

TEST_CASE("half_life is limited to a share of the images seen before", "[training]") {
  const auto decay = ema("{half_life: 500e3, ramp: 0.05}");
  CHECK(decay({.step = 1, .images = 0, .batch_size = 64}) == 0.0);
  CHECK_THAT(decay({.step = 11, .images = 640, .batch_size = 64}), WithinRel(std::exp2(-64.0 / 32.0), 1e-14));
  CHECK_THAT(decay({.step = 1, .images = 20'000'000, .batch_size = 500}), WithinRel(std::exp2(-1e-3), 1e-14));
  const auto plain = ema("");
  CHECK(plain({.step = 9, .images = 512, .batch_size = 64}) == decay({.step = 9, .images = 512, .batch_size = 64}));
}

TEST_CASE("power weighs the past by a profile of the stated relative width", "[training]") {
  for (const double width : {0.05, 0.1, 0.2}) {
    const auto decay = ema(format("{type: power, sigma_rel: {}}", width));
    constexpr std::int64_t kSteps = 4000;
    // Mean and variance of the time of a snapshot in the average, by the recursion of the average
    // itself.
    double mean = 0.0, square = 0.0;
    for (std::int64_t i = 0; i < kSteps; ++i) {
      const double beta = decay({.step = i + 1, .images = i * 10, .batch_size = 10}),
                   t = static_cast<double>(i + 1) / kSteps;
      mean = beta * mean + (1 - beta) * t;
      square = beta * square + (1 - beta) * t * t;
    }
    CHECK_THAT(std::sqrt(square - mean * mean), WithinRel(width, 2.0 / (width * kSteps)));
  }
}

TEST_CASE("the exponent of the power profile solves its equation", "[training]") {
  for (const double width : {0.01, 0.05, 0.1, 0.25, 0.28}) {
    const double gamma = power_ema_gamma(width);
    CHECK_THAT((gamma + 1) / ((gamma + 2) * (gamma + 2) * (gamma + 3)), WithinRel(width * width, 1e-12));
  }
  CHECK_THAT(power_ema_gamma(0.05), WithinRel(16.97, 1e-3));
  CHECK_THAT(power_ema_gamma(0.1), WithinRel(6.94, 1e-3));
}

TEST_CASE("none takes the weights as they are", "[training]") {
  CHECK(ema("type: none")({.step = 5, .images = 100, .batch_size = 10}) == 0.0);
}

TEST_CASE("score_sde starts with (1 + n)/(10 + n)", "[training]") {
  const auto decay = ema("{type: score_sde, decay: 0.99}");
  CHECK_THAT(decay({.step = 1, .images = 0, .batch_size = 1}), WithinRel(2.0 / 11.0, 1e-15));
  CHECK(decay({.step = 100000, .images = 0, .batch_size = 1}) == 0.99);
  CHECK(ema("{type: score_sde, decay: 0.99, warmup: false}")({.step = 1, .images = 0, .batch_size = 1}) == 0.99);
}

TEST_CASE("warmup keeps to its bounds and its start", "[training]") {
  const auto decay = ema("{type: warmup, inv_gamma: 2, power: 0.5, min_value: 0.2, max_value: 0.6, start_at: 3}");
  const auto at = [&](std::int64_t step) { return decay({.step = step, .images = 0, .batch_size = 1}); };
  CHECK(at(1) == 0.2);
  CHECK(at(4) == 0.2);
  CHECK_THAT(at(6), WithinRel(1 - std::sqrt(0.5), 1e-14));
  CHECK(at(1000) == 0.6);
}

TEST_CASE("every decay lies in [0, 1] all along a run", "[training]") {
  for (const auto& entry : ema_table()) {
    const auto decay = ema(format("type: {}", entry.name));
    for (std::int64_t step = 1; step < 100000; step = step * 3 / 2 + 1) {
      const double beta = decay({.step = step, .images = (step - 1) * 64, .batch_size = 64});
      INFO(entry.name << " at step " << step << ": " << beta);
      CHECK((beta >= 0.0 && beta <= 1.0));
    }
    CHECK_FALSE(entry.about.empty());
  }
}

TEST_CASE("mistakes in the options of an EMA are reported with their names", "[training]") {
  CHECK(contains(error_of([] { ema("type: half_lief"); }), "half_life"));
  CHECK(contains(error_of([] { ema("{type: power, sigma_rel: 0.5}"); }), "sigma_rel"));
  CHECK(contains(error_of([] { ema("{type: warmup, min_value: 0.9, max_value: 0.5}"); }), "min_value"));
  CHECK(contains(error_of([] { ema("{half_live: 3}"); }), "half_life"));
}
