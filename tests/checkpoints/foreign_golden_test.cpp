// Models that other projects saved: our D(z; σ) and theirs, and every tensor of the file.
#include "edmund/app/config.h"
#include "edmund/checkpoints/foreign.h"
#include "edmund/core/files.h"
#include "edmund/io/tensor_file.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/temporary_folder.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <map>

using namespace edmund;
using testing::Golden;

namespace {

const std::string kText = EDMUND_TEST_FOLDER "/README.md";

// Sums and norms of the file's tensors, whose names are ours below `prefix`.
void check_tensors(Golden& golden, const NamedTensors& weights, const std::string& prefix) {
  const std::map<std::string, Tensor> given(weights.begin(), weights.end());
  const auto names = golden.names("tensorsum.");
  for (const auto& name : names) {
    const std::string ours = name.substr(10 + prefix.size());
    golden.check("tensor " + ours + " was read", given.contains(ours));
    if (!given.contains(ours)) continue;
    const Tensor wide = given.at(ours).to(at::kDouble);
    golden.check_max(name, at::stack({wide.sum(), wide.norm()}), 1e-12);
  }
  golden.check("no other tensors", names.size() == given.size());
}

void check_outputs(Golden& golden, Experiment& experiment, at::ScalarType dtype, const std::string& twin,
                   double tolerance) {
  experiment.model.network().to(dtype);
  experiment.model.network().eval();
  const at::NoGradGuard no_grad;
  const auto io = [&](const std::string& name) { return golden.use("io." + name).to(dtype); };
  Condition condition;
  if (golden.has("io.class_labels")) condition.labels = io("class_labels");
  for (const std::string variant : {"", ".augment"}) {
    if (!golden.has("out" + variant + twin)) continue;
    if (!variant.empty()) condition.augment = io("augment_labels");
    golden.check_max("out" + variant + twin, experiment.model.denoise(io("x"), io("sigma"), condition), tolerance);
  }
}

}  // namespace

TEST_CASE("snapshots of NVlabs/edm give what its own code gives", "[checkpoints][golden]") {
  testing::for_each_golden({"checkpoint_edm_"}, [](Golden& golden) {
    const ForeignModel model = read_foreign(testing::golden_folder() / golden.settings().at("file"));
    golden.check("the kind is found out", model.kind == "edm");
    check_tensors(golden, model.weights, "model.");
    Experiment experiment = construct(parse(Options::read_text(model.config, "settings")), Needs::kModel);
    load_state(experiment.model.network(), model.weights, golden.name());
    const double tolerance = testing::number_in(golden.about().at("tolerance"), R"(max\|ref\| <= ([0-9.e-]+))");
    check_outputs(golden, experiment, at::kFloat, "", tolerance);
    check_outputs(golden, experiment, at::kDouble, ".fp64", 1e-6);
  });
}

TEST_CASE("safetensors without a known model are refused by name", "[checkpoints]") {
  const testing::TemporaryFolder folder;
  const std::string path = (folder.path() / "one.safetensors").string();
  write_file(path, tensor_bytes({{"weight", at::zeros({1})}}));
  CHECK_THROWS_WITH(read_foreign(path), Catch::Matchers::ContainsSubstring("no model of a kind"));
  CHECK_THROWS_WITH(read_foreign(path, "guided_diffusion"), Catch::Matchers::ContainsSubstring("no model of kind"));
}

TEST_CASE("what is no model of a known kind is refused by name", "[checkpoints]") {
  CHECK_THROWS_WITH(read_foreign("missing.pkl"), Catch::Matchers::ContainsSubstring("missing.pkl: no such file"));
  CHECK_THROWS_WITH(read_foreign(kText), Catch::Matchers::ContainsSubstring("neither a pickle"));
  CHECK_THROWS_WITH(read_foreign(kText, "emd"), Catch::Matchers::ContainsSubstring("did you mean 'edm'"));
  for (const auto& entry : foreign_table()) CHECK_FALSE(entry.is_one({.path = kText}));
}
