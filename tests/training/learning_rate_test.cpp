#include "edmund/training/learning_rate.h"

#include "support/catch.h"

#include <cmath>

using namespace edmund;
using Catch::Matchers::WithinRel;

TEST_CASE("the learning rate rises linearly with the images seen and then stays", "[training]") {
  const LearningRate rate{.base = 2e-4, .ramp_images = 1000, .decay_images = 0};
  CHECK(rate.at(0) == 0.0);
  CHECK_THAT(rate.at(250), WithinRel(5e-5, 1e-14));
  CHECK(rate.at(1000) == 2e-4);
  CHECK(rate.at(1'000'000'000) == 2e-4);
}

TEST_CASE("the first step has rate 0 without a ramp too", "[training]") {
  const LearningRate rate{.base = 1.0};
  CHECK(rate.at(0) == 0.0);
  CHECK(rate.at(1) == 1.0);
}

TEST_CASE("the learning rate falls as the inverse square root after decay_images", "[training]") {
  const LearningRate rate{.base = 1e-2, .ramp_images = 10, .decay_images = 400};
  CHECK(rate.at(400) == 1e-2);
  CHECK_THAT(rate.at(1600), WithinRel(5e-3, 1e-14));
  CHECK_THAT(rate.at(40000), WithinRel(1e-3, 1e-14));
}

TEST_CASE("the learning rate falls on a cosine from the end of the ramp to its share at the end", "[training]") {
  const LearningRate rate{.base = 1e-2, .ramp_images = 100, .cosine_images = 1100, .final_share = 0.1};
  CHECK_THAT(rate.at(50), WithinRel(5e-3, 1e-14));
  CHECK_THAT(rate.at(100), WithinRel(1e-2, 1e-14));
  // a quarter of the way
  CHECK_THAT(rate.at(350), WithinRel(1e-2 * (0.1 + 0.45 * (1 + std::sqrt(0.5))), 1e-12));
  CHECK_THAT(rate.at(600), WithinRel(5.5e-3, 1e-12));
  CHECK_THAT(rate.at(1100), WithinRel(1e-3, 1e-12));
  CHECK_THAT(rate.at(1'000'000), WithinRel(1e-3, 1e-12));
}

TEST_CASE("one decay of the learning rate excludes the other, and a cosine ends after the ramp", "[training]") {
  for (const char* text :
       {"{learning_rate_decay: 10, learning_rate_cosine: 10}", "{learning_rate_ramp: 10, learning_rate_cosine: 10}"}) {
    INFO(text);
    Options options = Options::read_text(text, "text");
    make_learning_rate(options);
    CHECK_THROWS(options.finish());
  }
}

TEST_CASE("the learning rate reads its keys and refuses negative ones", "[training]") {
  Options options =
      Options::read_text("learning_rate: 3e-4\nlearning_rate_ramp: 1e6\nlearning_rate_decay: 70000\n", "text");
  const LearningRate rate = make_learning_rate(options);
  options.finish();
  CHECK(rate.base == 3e-4);
  CHECK(rate.ramp_images == 1e6);
  CHECK(rate.decay_images == 70000.0);

  Options wrong = Options::read_text("learning_rate: -1\nlearning_rate_ramp: -5\n", "text");
  make_learning_rate(wrong);
  CHECK_THROWS(wrong.finish());
}
