#include "edmund/core/error.h"
#include "edmund/evaluation/resize.h"
#include "support/catch.h"
#include "support/formula_weights.h"
#include "support/golden.h"

#include <ATen/ATen.h>

using namespace edmund;
using testing::Golden;

namespace {

struct Method {
  Resize resize;
  bool unit = false;  // stored after scaling to [-1, 1]
};
Method method_named(const std::string& name) {
  if (name == "tf1_bilinear_torch_fidelity") return {Resize::kTf1Bilinear};
  if (name == "pytorch_fid_bilinear") return {Resize::kBilinear, true};
  if (name == "bilinear_antialias") return {Resize::kBilinearAntialias};
  if (name == "bicubic_antialias") return {Resize::kBicubicAntialias};
  if (name == "cleanfid_pil_bicubic") return {Resize::kPilBicubic};
  fail("unknown convention {}", name);
}

/// The image of a size whose pixels the notes state by a formula: uint8 [H, W, 3].
Tensor formula_image(const Golden& golden, std::int64_t side) {
  const std::string notes = golden.notes();
  const auto salt = static_cast<std::uint64_t>(testing::number_in(notes, R"(NAME "image", salt (\d+))"));
  const double column = testing::number_in(notes, R"(\+ (\d+)\*col)"),
               row = testing::number_in(notes, R"(\+ (\d+)\*row)");
  // Weights are uniform in ±√(3·gain/fan_in): with gain = fan_in/3 they are 2u - 1.
  const testing::FormulaWeights formula{.salt = salt, .gain = static_cast<double>(3 * side) / 3.0};
  const Tensor u = (formula.tensor("image", {side, side, 3}) + 1) / 2;
  const Tensor along = at::arange(side, at::kDouble);
  return ((256 * u).floor() + column * along.view({1, side, 1}) + row * along.view({side, 1, 1}))
      .remainder(256)
      .to(at::kByte);
}

}  // namespace

TEST_CASE("resizing equals that of the published FID codes", "[evaluation][golden]") {
  testing::for_each_golden({"resize_"}, [](Golden& golden) {
    const std::int64_t side = golden.settings().at("output");
    const auto tolerance = golden.about().at("tolerance").get<std::string>();
    const double bytes = testing::number_in(tolerance, R"(abs ([0-9.e-]+) on the 0\.\.255)"),
                 unit = testing::number_in(tolerance, R"(([0-9.e-]+) on the -1\.\.1)"),
                 sums = testing::number_in(tolerance, R"(sums rel ([0-9.e-]+))");
    const auto crop_at = [&](const std::string& pattern) {
      return static_cast<std::int64_t>(testing::number_in(golden.notes(), "at rows/cols " + pattern));
    };
    const std::vector<std::pair<std::string, std::int64_t>> crops = {
        {"crop_top_left", crop_at(R"((\d+),)")},
        {"crop_middle", crop_at(R"(\d+, (\d+))")},
        {"crop_bottom_right", crop_at(R"(\d+, \d+ and (\d+))")}};
    for (const auto& image_name : golden.parts()) {
      const std::string stored = image_name + ".image_uint8_hwc";
      const auto size = static_cast<std::int64_t>(testing::number_in(image_name, R"(in(\d+))"));
      const Tensor image = golden.has(stored) ? golden.use(stored) : formula_image(golden, size);
      golden.check(image_name + ": size", image.size(0) == size && image.size(1) == size);
      for (const auto& name : golden.parts(image_name + ".")) {
        if (name == "image_uint8_hwc") continue;
        const auto [resize, scaled] = method_named(name);
        Tensor found = image.permute({2, 0, 1}).unsqueeze(0).to(at::kFloat);
        found = resized_batch(scaled ? found / 255 : found, side, side, resize);
        if (scaled) found = 2 * found - 1;
        const std::string prefix = image_name + "." + name + ".";
        for (const auto& [crop, at] : crops) {
          const std::int64_t end = at + golden.use(prefix + crop).size(2);
          golden.check_each(prefix + crop, found[0].slice(1, at, end).slice(2, at, end), 0.0, scaled ? unit : bytes);
        }
        const Tensor values = found[0].to(at::kDouble).flatten(1),
                     sums_of = golden.real(prefix + "sum_sumsq_per_channel");
        // A sum is known to a share of Σ|x|, which it is itself but for values of both signs.
        golden.check_each_of(prefix + "sum over Σ|x|", values.sum(1) / values.abs().sum(1),
                             sums_of[0] / values.abs().sum(1), 0.0, sums);
        golden.check_each_of(prefix + "sum of squares", values.square().sum(1), sums_of[1], sums);
      }
    }
  });
}
