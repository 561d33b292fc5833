// Checkpoints of DiT and SiT: our network and theirs, averaged and raw, every tensor of the file.
#include "foreign_model.h"
#include "support/catch.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>
#include <numbers>

using namespace edmund;
using testing::Golden;

namespace {

const std::filesystem::path kFolder = std::filesystem::path(EDMUND_TEST_FOLDER) / "golden/checkpoints";

std::vector<std::string> said(const nlohmann::json& settings) {
  return {format("network.heads={}", settings.at("num_heads").get<std::int64_t>()),
          format("image.classes={}", settings.at("num_classes").get<std::int64_t>())};
}

// What the tensors tell is what the file was made with.
void check_settings(Golden& golden, const ForeignModel& model) {
  const auto config = nlohmann::json::parse(model.config);
  const auto &network = config.at("network"), &image = config.at("image");
  const std::map<std::string, nlohmann::json> told = {{"depth", network.at("depth")},
                                                      {"hidden_size", network.at("hidden_size")},
                                                      {"in_channels", image.at("channels")},
                                                      {"input_size", image.at("height")},
                                                      {"learn_sigma", network.at("learn_sigma")},
                                                      {"num_classes", image.at("classes")},
                                                      {"patch_size", network.at("patch")},
                                                      {"mlp_ratio", network.at("mlp_ratio")},
                                                      {"class_dropout_prob", network.at("null_class")}};
  for (const auto& [key, value] : golden.settings().items()) {
    if (key == "file" || key == "bare" || key == "file_bytes" || key == "num_heads") continue;
    require(told.contains(key), "no reading of the setting '{}'", key);
    const bool holds = key == "class_dropout_prob" ? (value.get<double>() > 0) == told.at(key).get<bool>()
                       : key == "mlp_ratio"        ? std::abs(value.get<double>() - told.at(key).get<double>()) < 0.05
                                                   : value == told.at(key);
    golden.check(key + " is read", holds);
  }
}

void check_outputs(Golden& golden, ForeignModel model, const std::string& name) {
  const auto all = said(golden.settings());
  const double tolerance = testing::fp32_tolerance(golden);
  Condition condition;
  condition.labels = golden.use("io.y");
  const auto output = [&](const NamedTensors& weights, at::ScalarType dtype) {
    model.weights = weights;
    Experiment experiment = testing::experiment_of(model, all);
    const Tensor F =
        testing::network_output(experiment, golden.use("io.x").to(dtype), golden.use("io.t").to(dtype), condition);
    return F.narrow(1, 0, golden.use("out").size(1));
  };
  const NamedTensors weights = model.weights, raw = model.raw;
  INFO(name);
  golden.check_max("out", output(weights, at::kFloat), tolerance);
  golden.check_max("out.fp64", output(weights, at::kDouble), testing::kDoubleTolerance);
  if (!raw.empty()) golden.check_max("out.model_weights", output(raw, at::kFloat), tolerance);
}

}  // namespace

TEST_CASE("checkpoints of DiT and SiT give what their own code gives", "[checkpoints][golden]") {
  testing::for_each_golden({"checkpoint_dit_", "checkpoint_sit_"}, [](Golden& golden) {
    const std::string kind = golden.name().starts_with("checkpoint_sit") ? "sit" : "dit";
    for (const std::string key : {"file", "bare"}) {
      if (!golden.settings().contains(key)) continue;
      const ForeignModel model = testing::foreign(golden, key, kind, said(golden.settings()));
      golden.check("both sets of weights are there", model.raw.empty() == (key == "bare"));
      testing::check_sums(golden, "tensorsum.",
                          std::map<std::string, Tensor>(model.weights.begin(), model.weights.end()));
      check_settings(golden, model);
      check_outputs(golden, model, key);
    }
  });
}

TEST_CASE("what a DiT's file does not tell is asked for by name", "[checkpoints]") {
  using Catch::Matchers::ContainsSubstring;
  CHECK_THROWS_WITH(read_foreign(kFolder / "dit_bare.pt"), ContainsSubstring("--from dit or --from sit"));
  CHECK_THROWS_WITH(read_foreign(kFolder / "dit_bare.pt", "dit"), ContainsSubstring("network.heads=…"));
  CHECK_THROWS_WITH(read_foreign(kFolder / "dit_0000001.pt"), ContainsSubstring("network.heads=…"));
  CHECK_THROWS_WITH(read_foreign(kFolder / "dit_0000001.pt", "sit"), ContainsSubstring("no model of kind sit"));
  const std::vector<std::string> heads = {"network.heads=4"};
  const ForeignModel model = read_foreign(kFolder / "dit_0000001.pt", "", heads);
  CHECK(model.kind == "dit");
  CHECK(model.images == 4);  // one step of 4
  CHECK(examine_foreign(kFolder / "dit_bare.pt", "dit").unsaid.size() == 1);
}

// SiT's velocity points from noise to data, its time runs the same way (Ma et al. 2024): D = x + (1
// - t)·v.
TEST_CASE("D of a SiT is x + (1 - t) v", "[checkpoints]") {
  const std::vector<std::string> heads = {"network.heads=4"};
  const ForeignModel model = read_foreign(kFolder / "dit_bare.pt", "sit", heads);
  Experiment experiment = testing::experiment_of(model, heads);
  const at::NoGradGuard no_grad;
  const Tensor t = at::tensor({0.2, 0.9}), x = at::arange(2 * 4 * 64).reshape({2, 4, 8, 8}).to(at::kDouble).sin();
  experiment.model.network().to(at::kDouble);
  Condition condition;
  condition.labels = at::tensor({1, 6});
  const Tensor v = experiment.model.network().forward(x, t.to(at::kDouble), condition).narrow(1, 0, 4);
  const Tensor wide = t.to(at::kDouble).reshape({-1, 1, 1, 1});
  const Tensor D = experiment.model.denoise(x / wide, ((1 - wide) / wide).reshape(-1), condition);
  CHECK((D - (x + (1 - wide) * v)).abs().max().item<double>() < 1e-6);
}

namespace {

// A network of SiT's golden file behind a preconditioning.
Experiment golden_sit(Golden& golden, const nlohmann::json& preconditioning) {
  const auto& s = golden.settings();
  const int R = s.value("input_size", 32);
  const nlohmann::json network = {{"type", "dit"},
                                  {"patch", s.value("patch_size", 2)},
                                  {"hidden_size", s.value("hidden_size", 1152)},
                                  {"depth", s.value("depth", 28)},
                                  {"heads", s.value("num_heads", 16)},
                                  {"learn_sigma", s.value("learn_sigma", true)}};
  const nlohmann::json image = {
      {"channels", s.value("in_channels", 4)}, {"height", R}, {"width", R}, {"classes", s.value("num_classes", 1000)}};
  ForeignModel model;
  model.config =
      nlohmann::json{
          {"image", image}, {"network", network}, {"preconditioning", preconditioning}, {"training", {{"images", 1}}}}
          .dump();
  for (const auto& name : golden.names("model.")) model.weights.emplace_back(name.substr(6), golden.use(name));
  Experiment out = testing::experiment_of(model);
  out.model.network().to(at::kDouble);
  out.model.network().eval();
  return out;
}

}  // namespace

// Of GVP, x = sin(πτ/2)·x0 + cos(πτ/2)·ε: the velocity v is dx/dτ, hence D = sin(πτ/2)·x +
// (2/π)·cos(πτ/2)·v; with the outputs of SiT's own network.
TEST_CASE("a SiT of the GVP path is read with the velocity of the cosine schedule", "[checkpoints][golden]") {
  const std::vector<std::string> said = {"network.heads=4", "path_type=GVP"};
  const ForeignModel file = read_foreign(kFolder / "dit_bare.pt", "sit", said);
  CHECK(file.overlay == std::vector<std::string>{"network.heads=4"});
  const auto config = nlohmann::json::parse(file.config);
  CHECK(config.at("sampling").at("schedule").at("type") == "cosine");
  const auto check_denoised = [&](Golden& golden) {
    const Experiment experiment = golden_sit(golden, config.at("preconditioning"));
    // all but pure noise, where σ has no end
    const Tensor some = at::nonzero(golden.use("io.t") > 0).reshape(-1);
    const auto rows = [&](const char* name) { return golden.use(name).index_select(0, some); };
    golden.check("there are noisy images", some.numel() > 0);
    Condition condition;
    condition.labels = rows("io.y");
    const Tensor x = rows("io.x").to(at::kDouble), angle = rows("io.t").to(at::kDouble) * (std::numbers::pi / 2),
                 sin = angle.sin().reshape({-1, 1, 1, 1}), cos = angle.cos().reshape({-1, 1, 1, 1});
    const at::NoGradGuard no_grad;
    const Tensor D = experiment.model.denoise(x / sin, (cos / sin).reshape(-1), condition);
    golden.check_max_of("D", D, sin * x + 2 / std::numbers::pi * cos * rows("out.fp64"), testing::kDoubleTolerance);
  };
  testing::for_each_golden({"network_sit_"}, check_denoised, {"grad*", "mid.*", "io.grad_w", "out", "out.cfg*"});
  const std::vector<std::string> wrong = {"network.heads=4", "path_type=VP"};
  CHECK_THROWS_WITH(read_foreign(kFolder / "dit_bare.pt", "sit", wrong),
                    Catch::Matchers::ContainsSubstring("path_type: expected Linear or GVP, found 'VP'"));
}
