#include "edmund/data/augment.h"

#include "edmund/core/error.h"
#include "edmund/data/loader.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/golden.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <cmath>
#include <map>
#include <string>

using namespace edmund;
using namespace edmund::testing;
using nlohmann::json;

namespace {

using Strength = TransformationEntry::Strength;

AugmentSettings settings_of(json config) {
  if (config.contains("p")) {
    config["probability"] = config["p"];
    config.erase("p");
  }
  Options options = Options::read_text(config.dump(), "augment");
  AugmentSettings out = augment_settings(options);
  options.finish();
  return out;
}

/// Stored draws of one case, CASE.drawNN.KIND, in the order in which the pipe asks for them.
class Stored {
 public:
  Stored(Golden& golden, const std::string& name) : golden_(golden) {
    for (const auto& tensor : golden.names(name + ".draw")) names_.push_back(tensor);
    std::ranges::sort(names_, {}, [&](const std::string& tensor) {
      return std::stoll(tensor.substr(name.size() + 5));  // the number, of however many digits
    });
  }

  /// The next draw as [1 or 2, B].
  Tensor next(const std::string& kind, std::int64_t batch) {
    require(at_ < names_.size(), "a draw of kind {} is missing", kind);
    const std::string& name = names_[at_++];
    require(name.ends_with("." + kind), "{}: expected a draw of kind {}", name, kind);
    return golden_.use(name).to(at::kDouble).reshape({-1, batch});
  }
  bool done() const { return at_ == names_.size(); }

 private:
  Golden& golden_;
  std::vector<std::string> names_;
  std::size_t at_ = 0;
};

std::vector<AugmentDraws> draws_of(Stored& stored, const AugmentSettings& settings, std::int64_t batch) {
  std::vector<AugmentDraws> out(static_cast<std::size_t>(batch));
  for (std::size_t i = 0; i < kTransformations; ++i) {
    if (settings.multipliers[i] <= 0.0) continue;
    static const std::map<Strength, std::string> kKinds = {{Strength::kBit, "randint2"},
                                                           {Strength::kTurns, "randint4"},
                                                           {Strength::kUniform, "rand"},
                                                           {Strength::kNormal, "randn"}};
    const bool aniso = i == static_cast<std::size_t>(Transformation::kAniso);
    Tensor strength = stored.next(kKinds.at(transformation_table()[i].strength), batch);
    if (aniso) strength = at::cat({strength, stored.next("rand", batch)});
    const Tensor gate = stored.next("rand", batch), second = aniso ? stored.next("rand", batch) : gate;
    for (std::int64_t b = 0; b < batch; ++b) {
      AugmentDraw& draw = out[static_cast<std::size_t>(b)][i];
      draw.first = strength[0][b].item<double>();
      if (strength.size(0) > 1) draw.second = strength[1][b].item<double>();
      draw.gate = gate[0][b].item<double>();
      draw.second_gate = second[0][b].item<double>();
    }
  }
  return out;
}

Tensor images_of(Golden& golden, const std::string& name, const Tensor& like) {
  const std::string own = name + ".images";
  const Tensor images = golden.use(golden.has(own) ? own : "images");
  return images.narrow(1, 0, like.size(1));  // grey cases take channel 0
}

void check_case(Golden& golden, const std::string& name, double of_images, double of_labels) {
  const AugmentSettings settings = settings_of(golden.settings(name));
  const Tensor images = images_of(golden, name, golden.use(name + ".out")).to(at::kFloat);
  const std::int64_t B = images.size(0);
  Stored stored(golden, name);
  std::vector<AugmentPlan> plans;
  for (const AugmentDraws& draws : draws_of(stored, settings, B))
    plans.push_back(augment_plan(settings, draws, images.size(2), images.size(3)));
  golden.check(name + ": every draw has its place", stored.done());
  // the reference's batch is mirrored as far as its neediest image asks
  std::array<std::int64_t, 4> margin = {};
  for (const auto& plan : plans)
    for (std::size_t i = 0; i < margin.size(); ++i) margin[i] = std::max(margin[i], plan.margin[i]);

  Tensor out = at::empty_like(images), labels = at::empty({B, settings.label_width()});
  for (std::int64_t b = 0; b < B; ++b) {
    AugmentPlan& plan = plans[static_cast<std::size_t>(b)];
    plan.margin = margin;
    out[b].copy_(augmented(images[b], plan));
    std::ranges::copy(plan.labels, labels.data_ptr<float>() + b * labels.size(1));
  }
  golden.check_each(name + ".out", out, 0.0, of_images);
  golden.check_each(name + ".labels", labels, 0.0, of_labels);
}

/// A smooth picture, which resampling hardly changes. [C, H, W].
Tensor waves(std::int64_t C, std::int64_t H, std::int64_t W) {
  const Tensor y = at::arange(H).view({1, H, 1}) * 0.3, x = at::arange(W).view({1, 1, W}) * 0.2,
               c = at::arange(C).view({C, 1, 1});
  return (0.5 * (x + c).sin() + 0.4 * (y - 0.5 * c).cos()).to(at::kFloat);
}

json everything(double probability) {
  json out = {{"probability", probability}};
  for (const auto& row : transformation_table()) out[std::string(row.name)] = 1;
  return out;
}

/// Images of noise, one class.
class Noise final : public Dataset {
 public:
  DatasetInfo info() const override {
    return {.name = "noise", .size = 20, .channels = 3, .height = 8, .width = 8, .num_classes = 0, .class_names = {}};
  }
  Batch read(std::span<const std::int64_t> indices) const override {
    Batch batch{.images = at::empty({std::ssize(indices), 3, 8, 8}, at::kByte),
                .labels = at::zeros({std::ssize(indices)}, at::kLong)};
    for (std::size_t i = 0; i < indices.size(); ++i)
      batch.images[static_cast<std::int64_t>(i)].copy_(
          ((at::arange(192) * (31 + 2 * indices[i])).remainder(256)).view({3, 8, 8}));
    return batch;
  }
};

}  // namespace

TEST_CASE("the augmentation pipe is that of Karras et al. for the same draws", "[data][golden]") {
  for_each_golden({"augment_"}, [](Golden& golden) {
    const std::string text = golden.about().at("tolerance");
    const double of_images = number_in(text, R"(images abs ([0-9.e-]+))"),
                 of_labels = number_in(text, R"(labels abs ([0-9.e-]+))");
    for (const auto& [name, value] : golden.settings().items()) check_case(golden, name, of_images, of_labels);
  });
}

TEST_CASE("an image that nothing is done to stays as it is, and its labels are zeros", "[data]") {
  const AugmentSettings settings = settings_of(everything(0.01));
  AugmentDraws draws = augment_draws(0, 0);
  for (AugmentDraw& draw : draws) draw.gate = 0.5;
  const AugmentPlan plan = augment_plan(settings, draws, 8, 8);
  const Tensor image = waves(3, 8, 8);
  CHECK(augmented(image, plan).equal(image));
  CHECK(plan.labels == std::vector<float>(19, 0.0F));
  CHECK(settings.label_width() == 19);
}

TEST_CASE("what moves pixels by fractions moves them where the formula says", "[data]") {
  // a quarter turn by angle is the quarter turn of pixels, a whole move in fractions that of pixels
  const Tensor image = waves(1, 16, 16);
  AugmentDraws draws = {};
  AugmentDraw &turn = draws[static_cast<std::size_t>(Transformation::kRotateFrac)],
              &move = draws[static_cast<std::size_t>(Transformation::kTranslateFrac)];
  turn.first = 0.75;  // of -π to π
  const AugmentPlan turned = augment_plan(settings_of({{"rotate_frac", 1}}), draws, 16, 16);
  const auto gap = [](const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); };
  // the wavelet's filter takes a little of the finest waves
  CHECK(gap(augmented(image, turned), at::rot90(image, 1, {1, 2})) < 0.02);
  CHECK(gap(augmented(image, turned), at::rot90(image, -1, {1, 2})) > 0.2);

  move = {.first = 1.0, .second = 0.5};  // by 2 pixels and by 1
  const AugmentPlan moved = augment_plan(settings_of({{"translate_frac", 1}}), draws, 16, 16);
  const Tensor inner = augmented(image, moved).slice(1, 1, 16).slice(2, 2, 16);
  CHECK(gap(inner, image.slice(1, 0, 15).slice(2, 0, 14)) < 1e-5);
}

TEST_CASE("augmentation is a function of seed and position", "[data]") {
  const Noise data;
  LoaderSettings settings{.batch_size = 6, .threads = 0, .seed = 3, .augment = settings_of(everything(0.5))};
  Loader together(data, settings);
  const TrainingBatch batch = together.next();
  CHECK(batch.images.scalar_type() == at::kFloat);
  CHECK(batch.augment.size(1) == 19);
  settings.batch_size = 2;
  settings.threads = 2;
  Loader apart(data, settings);
  for (std::int64_t at = 0; at < 6; at += 2) {
    const TrainingBatch part = apart.next();
    CHECK(part.images.equal(batch.images.narrow(0, at, 2)));
    CHECK(part.augment.equal(batch.augment.narrow(0, at, 2)));
  }
  settings.start = 4;
  settings.augment.labels = false;
  Loader later(data, settings);
  const TrainingBatch rest = later.next();
  CHECK(rest.images.equal(batch.images.narrow(0, 4, 2)));
  CHECK_FALSE(rest.augment.defined());
}

TEST_CASE("each transformation is done as often as it is asked for, and draws what it says", "[data]") {
  constexpr std::int64_t N = 20000;
  double gates = 0, normal = 0, square = 0, bits = 0;
  for (std::int64_t i = 0; i < N; ++i) {
    const AugmentDraws draws = augment_draws(7, i);
    const auto& scale = draws[static_cast<std::size_t>(Transformation::kScale)];
    gates += scale.gate < 0.12 ? 1 : 0;
    normal += scale.first;
    square += scale.first * scale.first;
    bits += draws[static_cast<std::size_t>(Transformation::kXFlip)].first;
  }
  const double n = static_cast<double>(N), five = 5 / std::sqrt(n);  // five standard errors
  CHECK(std::abs(gates / n - 0.12) < five * std::sqrt(0.12 * 0.88));
  CHECK(std::abs(normal / n) < five);
  CHECK(std::abs(square / n - 1) < five * std::sqrt(2.0));
  CHECK(std::abs(bits / n - 0.5) < five * 0.5);
}

TEST_CASE("transformations that images do not take are refused by name", "[data]") {
  const auto refused = [](const json& config, std::int64_t channels, std::int64_t width) {
    Options options = Options::read_text(config.dump(), "augment");
    check_augment(options, augment_settings(options), channels, 8, width);
    return error_of([&] { options.finish(); });
  };
  CHECK(refused({{"rotate_int", 1}}, 3, 9).find("rotate_int: quarter turns need square images") != std::string::npos);
  CHECK(refused({{"hue", 1}}, 4, 8).find("hue: colors need 1 or 3 channels") != std::string::npos);
  CHECK(refused({{"hue", 1}, {"rotate_int", 1}}, 1, 8).empty());
}
