// Every definition in experiments/ is one that the program takes: no unknown key, no arm or variant
// that cannot be built. CIFAR-10 and trained runs are not needed for that; the configs state the
// images' shape.
#include "edmund/core/files.h"
#include "edmund/studies/ablate.h"
#include "support/catch.h"

#include <algorithm>
#include <set>

using namespace edmund;
namespace fs = std::filesystem;

namespace {

const fs::path kRoot = fs::path(EDMUND_TEST_FOLDER).parent_path();

bool is_ablation(const fs::path& file) {
  const auto keys = Options::read_file(file).keys();
  return std::find(keys.begin(), keys.end(), "config") != keys.end();
}

std::vector<fs::path> definitions(bool ablations) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "experiments"))
    if (entry.path().extension() == ".yaml" && is_ablation(entry.path()) == ablations) out.push_back(entry.path());
  return out;
}

// The config that `edmund train` makes a run of this folder from. The digits have ten classes,
// which their config leaves to the data.
Experiment config_of(const std::string& run) {
  const fs::path file = kRoot / "configs" / (fs::path(run).filename().string() + ".yaml");
  REQUIRE(fs::exists(file));
  std::vector<std::string> shape;
  if (file.stem() == "fashion-mnist") shape = {"image.height=28", "image.width=28"};
  return construct(parse(Options::read_file(file, shape)), Needs::kModel);
}

}  // namespace

TEST_CASE("every comparison in experiments is taken, for the configs that its runs come from", "[app]") {
  const auto files = definitions(false);
  REQUIRE(files.size() >= 5);
  for (const auto& file : files) {
    INFO(file.string());
    Options names = Options::read_file(file);
    for (const auto& model : read_comparison(names).models) {
      const Experiment experiment = config_of(model.run);
      Options root = Options::read_file(file);
      const ComparePlan plan = read_comparison(root);
      check_variants(root, plan, experiment);
      CHECK_NOTHROW(root.finish());
    }
  }
}

TEST_CASE("every ablation in experiments is taken in both sizes, and paper and small ask the same", "[app]") {
  std::set<fs::path> folders;
  for (const auto& file : definitions(true)) {
    INFO(file.string());
    folders.insert(file.parent_path());
    std::vector<std::string> overrides;
    if (file.filename() == "small.yaml") overrides = {"set=[image.classes=10]"};
    AblationPlan plan;
    REQUIRE_NOTHROW(plan = read_ablation(file, overrides, Needs::kModel));
    CHECK_FALSE(plan.arms.empty());
  }
  CHECK(folders.size() >= 6);
  for (const auto& folder : folders) {
    INFO(folder.string());
    CHECK(fs::exists(folder / "paper.yaml"));
    CHECK(fs::exists(folder / "small.yaml"));
  }
}

TEST_CASE("a key that nothing reads is found in a definition, wherever it stands", "[app]") {
  const fs::path copy = fs::temp_directory_path() / "edmund-definition.yaml";
  const auto refused = [&](const std::string& compare, const std::string& says) {
    write_file(copy, "config: " + (kRoot / "configs/digits.yaml").string() +
                         "\narms: [{name: edm, set: []}]\ncompare: " + compare + "\n");
    std::string found;
    try {
      read_ablation(copy, {}, Needs::kModel);
    } catch (const Error& error) {
      found = error.what();
    }
    INFO(found);
    CHECK(found.find(says) != std::string::npos);
  };
  refused("{nfe: [5], imges: 10}", "imges");
  refused("{baseline: edn}", "did you mean 'edm'");
  refused("{variants: [{name: a, sampling: {sampler: huen}}]}", "did you mean 'heun'");
  refused("{variants: [{name: a, sampling: {grid: {stps: 4}}}]}", "stps");
  refused("{models: []}", "models");
  fs::remove(copy);
}
