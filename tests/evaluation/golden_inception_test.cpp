#include "edmund/core/error.h"
#include "edmund/evaluation/inception.h"
#include "edmund/evaluation/resize.h"
#include "helpers.h"
#include "support/catch.h"
#include "support/formula_weights.h"
#include "support/golden.h"
#include "support/kernels.h"

#include <utility>

using namespace edmund;
using testing::FormulaWeights;
using testing::Golden;

namespace {

InceptionBlock block_named(const std::string& name) {
  if (name == "FIDInceptionA") return InceptionBlock::kA;
  if (name == "FIDInceptionC") return InceptionBlock::kC;
  if (name == "FIDInceptionE_1") return InceptionBlock::kE1;
  if (name == "FIDInceptionE_2") return InceptionBlock::kE2;
  fail("unknown block {}", name);
}

void check_block(Golden& golden, const std::string& name, const FormulaWeights& formula, double tolerance) {
  const auto args = golden.settings().at("blocks").at(name).at("args").get<std::vector<std::int64_t>>();
  const InceptionBlock block = block_named(name);
  const auto layers = inception_block_layers(block, "", args.at(0), args.size() > 1 ? args[1] : 0);
  const InceptionLayers network(testing::inception_weights(layers, formula), layers);
  golden.check_max(name + ".out", inception_block(block, network, "", golden.use(name + ".input")), tolerance);
}

// What the file has of a tap: its first channels, rows and columns, its means, its sums.
void check_tap(Golden& golden, const std::string& name, const Tensor& found, double tolerance) {
  const Tensor tap = found.dim() == 2 ? found.unsqueeze(2).unsqueeze(3) : found;  // [B, C, H, W]
  if (golden.has(name + ".crop")) {
    const Tensor& crop = golden.use(name + ".crop");
    golden.check_max(name + ".crop", tap.slice(1, 0, crop.size(1)).slice(2, 0, crop.size(2)).slice(3, 0, crop.size(3)),
                     tolerance);
  }
  if (golden.has(name + ".spatial_mean")) golden.check_max(name + ".spatial_mean", tap.mean({2, 3}), tolerance);
  const Tensor values = tap.to(at::kDouble);
  if (golden.has(name + ".sum_sumsq"))
    golden.check_each(name + ".sum_sumsq", at::stack({values.sum(), values.square().sum()}), tolerance);
}

}  // namespace

TEST_CASE("Inception-v3 equals the golden files: blocks and the whole network", "[evaluation][golden]") {
  testing::for_each_golden({"inception_"}, [](Golden& golden) {
    const FormulaWeights formula{.salt = golden.settings().at("salt"), .gain = golden.settings().at("gain")};
    const auto tolerance = golden.about().at("tolerance").get<std::string>();
    const auto blocks = golden.settings().value("blocks", nlohmann::json::object());
    testing::for_each_backend([&](const std::string& backend) {
      INFO("kernels " << backend);
      for (const auto& [name, block] : blocks.items())
        check_block(golden, name, formula, testing::number_in(tolerance, R"(<= ([0-9.e-]+) \(blocks\))"));
    });

    // The whole network once, by the way that users take.
    if (!golden.has("full.input_0_1")) return;
    const double pool_tolerance = testing::number_in(tolerance, R"(([0-9.e-]+) \(pool features\))");
    const testing::UseKernels fast(ops::Kernels::kFast);
    const InceptionV3 network(testing::inception_weights(inception_layers(), formula));
    const Tensor x = resized_batch(golden.use("full.input_0_1"), 299, 299, Resize::kBilinear);
    const auto taps = network.taps(2 * x - 1);
    if (golden.has("full.pool_features")) golden.check_max("full.pool_features", taps.pooled, pool_tolerance);
    for (const auto& [name, tap] : {std::pair{"full.block64", taps.block64},
                                    {"full.block192", taps.block192},
                                    {"full.block768", taps.block768},
                                    {"full.block2048", taps.pooled}})
      check_tap(golden, name, tap, pool_tolerance);
  });
}
