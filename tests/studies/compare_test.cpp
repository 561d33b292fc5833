// compare and ablate as a user runs them: whole, in shards, killed and taken up again.
#include "edmund/core/philox.h"
#include "support/catch.h"
#include "support/process.h"

#include <chrono>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

namespace edmund::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

const char* const kComparison = R"(name: few
models: [{name: small, run: runs/small}]
images: 24
block: 8
nfe: [3, 5]
distance: {images: 4, tolerance: 1e-4}
baseline: euler
variants:
  - {name: heun, sampling: {sampler: heun}}
  - {name: euler, sampling: {sampler: euler}}
  - {name: noisy, sampling: {sampler: {type: ddim, eta: 1}, grid: {type: uniform}, schedule: flow}}
)";

// A folder with a trained run and a comparison.
const fs::path& trained() {
  static const TemporaryFolder folder;
  static const bool once = [] {
    write_idx_data(folder.path());
    write_text(folder.path() / "config.yaml", small_config());
    const Outcome outcome = edmund_run(folder.path(), "train config.yaml --quiet");
    INFO(outcome.output);
    REQUIRE(outcome.code == 0);
    write_text(folder.path() / "few.yaml", kComparison);
    return true;
  }();
  static_cast<void>(once);
  return folder.path();
}

std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

// The table without what a clock says.
json table_of(const fs::path& out) {
  json table = json::parse(text_of(out / "results.json"));
  for (auto& cell : table["cells"]) cell.erase("seconds");
  return table;
}

std::map<std::string, fs::file_time_type> times_of(const fs::path& folder) {
  std::map<std::string, fs::file_time_type> out;
  if (!fs::exists(folder)) return out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().filename().string().find("tmp") == std::string::npos)
      out[entry.path().string()] = entry.last_write_time();
  return out;
}

// Files of `before` that are no longer what they were.
std::string changed(const std::map<std::string, fs::file_time_type>& before,
                    const std::map<std::string, fs::file_time_type>& after) {
  for (const auto& [file, time] : before)
    if (const auto found = after.find(file); found == after.end() || found->second != time) return file;
  return "";
}

}  // namespace

TEST_CASE("compare pairs every cell with the baseline, with intervals, distances and pictures", "[app]") {
  const Outcome outcome = edmund_run(trained(), "compare few.yaml --out whole --quiet");
  INFO(outcome.output);
  REQUIRE(outcome.code == 0);
  const json table = table_of(trained() / "whole");
  REQUIRE(table["cells"].size() == 6);
  for (const auto& cell : table["cells"]) {
    INFO(cell.dump());
    CHECK(cell["nfe"].get<int>() <= cell["budget"].get<int>());
    CHECK(std::isfinite(cell["scores"]["frechet"]["value"].get<double>()));
    CHECK(cell["scores"]["frechet"]["low"].get<double>() < cell["scores"]["frechet"]["high"].get<double>());
    CHECK(cell["scores"]["frechet"].contains("difference") == (cell["variant"] != "euler"));
    CHECK(cell["stochastic"] == (cell["variant"] == "noisy"));
    CHECK(cell.contains("distance") == (cell["variant"] != "noisy"));
    if (cell.contains("distance")) CHECK(cell["distance"]["low"] < cell["distance"]["value"]);
  }
  CHECK(table["cells"][0]["steps"] == 2);  // heun: 3 evaluations
  CHECK(table["cells"][1]["nfe"] == 5);
  // More steps come nearer to the solution.
  CHECK(table["cells"][1]["distance"]["value"] < table["cells"][0]["distance"]["value"]);
  // Heun from 3 to 5 evaluations: the order is the slope of the distance.
  const double slope = std::log(table["cells"][0]["distance"]["value"].get<double>() /
                                table["cells"][1]["distance"]["value"].get<double>()) /
                       std::log(5.0 / 3.0);
  CHECK_FALSE(table["cells"][0].contains("order"));
  CHECK_THAT(table["cells"][1]["order"].get<double>(), Catch::Matchers::WithinRel(slope, 1e-12));
  const std::string page = text_of(trained() / "whole/report.html");
  for (const char* part : {"<svg", "data:image/png", "noisy", "data-key", "small: table", "Pareto front", "order 2",
                           "Order of convergence"})
    CHECK(page.find(part) != std::string::npos);
  const std::string csv = text_of(trained() / "whole/results.csv");
  // two metrics a cell, and the distances
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 1 + 6 * 2 + 4);

  // The same seeds whatever the batch and the share of the work.
  REQUIRE(edmund_run(trained(), "compare few.yaml --out shards --shard 2/2 --quiet").code == 0);
  CHECK_FALSE(fs::exists(trained() / "shards/results.json"));
  REQUIRE(edmund_run(trained(), "compare few.yaml --out shards --shard 1/2 --quiet").code == 0);
  CHECK(table_of(trained() / "shards")["cells"] == table["cells"]);

  const auto before = times_of(trained() / "whole/cells");
  REQUIRE(edmund_run(trained(), "compare few.yaml --out whole --quiet").code == 0);
  CHECK(changed(before, times_of(trained() / "whole/cells")) == "");
}

TEST_CASE("what is damaged of a comparison is named and made again, and its results are the same", "[app]") {
  const auto compared = [] { return edmund_run(trained(), "compare few.yaml --out mended"); };
  REQUIRE(compared().code == 0);
  const json whole = table_of(trained() / "mended");
  const auto files = times_of(trained() / "mended/cells");
  std::size_t number = 0;
  for (const auto& [file, time] : files) {
    if (number++ % 3 != 0) continue;
    const std::string before = text_of(file);
    std::string damaged = before;
    if (number % 2 == 1)
      damaged.resize(damaged.size() / 2);
    else
      damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 4);
    write_text(file, damaged);
    const Outcome again = compared();
    INFO(again.output);
    CHECK(again.code == 0);
    CHECK(again.output.find(fs::relative(file, trained()).string() + ": ") != std::string::npos);
    CHECK(table_of(trained() / "mended") == whole);
    // With the seconds that its drawing took, but for that as it was.
    CHECK(text_of(file).size() > damaged.size() / 2);
    CHECK(text_of(file) != damaged);
  }
  CHECK(number > 8);
}

TEST_CASE("cells that are taken up again are called as the comparison calls them now", "[app]") {
  const auto compared = [](const std::string& yaml) {
    write_text(trained() / "names.yaml", yaml);
    const Outcome outcome = edmund_run(trained(), "compare names.yaml --out names --quiet");
    INFO(outcome.output);
    REQUIRE(outcome.code == 0);
    return table_of(trained() / "names")["cells"];
  };
  const std::string rest = "\nimages: 8\nmetrics: [kid]\ndistance: {images: 0}\nvariants: [{name: ";
  const json before = compared("models: [{name: small, run: runs/small}]" + rest + "a, sampling: {}}]\n");
  REQUIRE(before.size() == 1);
  const auto files = times_of(trained() / "names/cells");
  const json after =
      compared("models: [{name: one, run: runs/small}, {name: two, run: runs/small}]" + rest + "b, sampling: {}}]\n");
  CHECK(changed(files, times_of(trained() / "names/cells")) == "");
  REQUIRE(after.size() == 2);
  CHECK(after[0]["model"] == "one");
  CHECK(after[1]["model"] == "two");
  CHECK(after[1]["variant"] == "b");
  CHECK(after[1]["scores"] == before[0]["scores"]);
}

TEST_CASE("compare refuses what it cannot do in one message, before it draws", "[app]") {
  const auto refused = [&](const std::string& from, const std::string& to, const std::vector<std::string>& says,
                           const std::string& more = "") {
    std::string yaml = kComparison;
    REQUIRE(yaml.find(from) != std::string::npos);
    yaml.replace(yaml.find(from), from.size(), to);
    write_text(trained() / "bad.yaml", yaml);
    const Outcome outcome = edmund_run(trained(), "compare bad.yaml --out bad --quiet " + more);
    INFO(outcome.output);
    CHECK(outcome.code == 2);
    CHECK(std::count(outcome.output.begin(), outcome.output.end(), '\n') == 1);
    for (const auto& part : says) CHECK(outcome.output.find(part) != std::string::npos);
    CHECK_FALSE(fs::exists(trained() / "bad/cells"));
  };
  refused("sampler: euler", "sampler: eulre", {"bad.yaml:10", "eulre", "did you mean 'euler'"});
  refused("runs/small", "runs/none", {"runs/none", "no such run folder"});
  refused("block: 8", "blok: 8", {"bad.yaml:4", "blok", "did you mean 'block'"});
  refused("baseline: euler", "baseline: eulr", {"baseline", "did you mean 'euler'"});
  refused("name: heun", "name: euler", {"stands here twice"});
  refused("block: 8", "block: 8\nmetrics: [frechet, kdi]", {"metrics", "did you mean 'kid'"});
  refused("name: few", "name: few", {"--shard", "'3'"}, "--shard 3/2");
}

TEST_CASE("compare killed at any instant ends with the same table and does nothing twice", "[app][slow]") {
  std::string longer = kComparison;
  longer.replace(longer.find("nfe: [3, 5]"), 11, "nfe: [3, 5, 9, 17, 33, 65]");
  longer.replace(longer.find("images: 24"), 10, "images: 96");
  write_text(trained() / "longer.yaml", longer);
  const auto seconds = [&] {
    const auto began = std::chrono::steady_clock::now();
    REQUIRE(edmund_run(trained(), "compare longer.yaml --out once --quiet").code == 0);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  };
  const double whole = seconds(), idle = seconds();  // idle: all is there already
  const fs::path cells = trained() / "killed/cells";
  const RandomKey key{.seed = 7, .stream = Stream::kEvaluation, .sample = 0, .draw = 0};
  int killed = 0;
  for (std::uint32_t i = 0; i < 20; ++i) {
    // From before the first cell to after a sixth of the work.
    const double delay =
        idle * 0.7 + (idle * 0.3 + (whole - idle) / 6) * static_cast<double>(key.words(i)[0]) / 4294967296.0;
    const auto before = times_of(cells);
    const Outcome outcome = edmund_run(trained(), "compare longer.yaml --out killed --quiet",
                                       "timeout -s KILL " + std::to_string(delay) + " " EDMUND_BINARY);
    killed += outcome.code == 137 ? 1 : 0;
    CHECK(changed(before, times_of(cells)) == "");
  }
  CHECK(killed >= 5);
  REQUIRE(edmund_run(trained(), "compare longer.yaml --out killed --quiet").code == 0);
  CHECK(table_of(trained() / "killed")["cells"] == table_of(trained() / "once")["cells"]);
}

TEST_CASE("ablate trains each combination once and shows what each level does", "[app][slow]") {
  write_text(trained() / "ablation.yaml", R"(name: four
config: config.yaml
set: [training.images=64, training.samples_every=0]
axes:
  - name: target
    arms: [{name: edm, set: []}, {name: v, set: ["preconditioning={type: v}"]}]
  - name: levels
    arms: [{name: low, set: [noise_levels.mean=-2]}, {name: high, set: [noise_levels.mean=0]}]
compare: {images: 24, block: 12, nfe: [5], distance: {images: 0}}
)");
  const Outcome first = edmund_run(trained(), "ablate ablation.yaml --quiet");
  INFO(first.output);
  REQUIRE(first.code == 0);
  const fs::path out = trained() / "runs/four";
  const json table = table_of(out);
  REQUIRE(table["cells"].size() == 4);
  CHECK(table["baseline"] == "edm low");
  CHECK_FALSE(table["cells"][0]["scores"]["frechet"].contains("difference"));
  CHECK(table["cells"][3]["scores"]["frechet"].contains("difference"));
  const std::string page = text_of(out / "report.html");
  for (const char* part : {"Main effects", "target", "levels", "v high"}) CHECK(page.find(part) != std::string::npos);
  const auto before = times_of(out / "arms");
  CHECK(before.size() > 8);
  REQUIRE(edmund_run(trained(), "ablate ablation.yaml --quiet").code == 0);
  CHECK(changed(before, times_of(out / "arms")) == "");

  const Outcome refused = edmund_run(trained(), "ablate ablation.yaml 'set=[training.imges=64]' --out other");
  CHECK(refused.code == 2);
  CHECK(refused.output.find("did you mean 'images'") != std::string::npos);
  CHECK_FALSE(fs::exists(trained() / "other"));
}

TEST_CASE("ablate with several seeds summarises each arm, and differences are between trainings of one seed",
          "[app][slow]") {
  write_text(trained() / "seeds.yaml", R"(name: seeds
config: config.yaml
set: [training.images=64, training.samples_every=0]
seeds: [3, 5]
axes:
  - name: levels
    arms: [{name: low, set: [noise_levels.mean=-2]}, {name: high, set: [noise_levels.mean=0]}]
compare: {images: 24, block: 12, nfe: [5], distance: {images: 0}, baseline: low}
)");
  const Outcome outcome = edmund_run(trained(), "ablate seeds.yaml --quiet");
  INFO(outcome.output);
  REQUIRE(outcome.code == 0);
  const fs::path out = trained() / "runs/seeds";
  const json arms = json::parse(text_of(out / "arms.json"));
  REQUIRE(arms["trainings"].size() == 4);
  REQUIRE(arms["arms"].size() == 2);
  std::map<std::string, std::vector<double>> values;
  for (const auto& training : arms["trainings"]) values[training["arm"]].push_back(training["frechet"]["value"]);
  CHECK(values["low"][0] != values["low"][1]);  // another seed is another training
  const auto logs = [&](const std::string& arm, std::size_t seed) { return std::log(values[arm][seed]); };
  const json high = arms["arms"][1];
  CHECK(high["arm"] == "high");
  CHECK_THAT(high["mean"].get<double>(),
             Catch::Matchers::WithinRel(std::exp((logs("high", 0) + logs("high", 1)) / 2), 1e-12));
  // Two values: the standard error of their mean is half their distance.
  CHECK_THAT(high["seed_error"].get<double>() / high["mean"].get<double>(),
             Catch::Matchers::WithinRel(std::abs(logs("high", 0) - logs("high", 1)) / 2, 1e-9));
  const double ratio = (logs("high", 0) - logs("low", 0) + logs("high", 1) - logs("low", 1)) / 2;
  CHECK_THAT(high["times_baseline"].get<double>(), Catch::Matchers::WithinRel(std::exp(ratio), 1e-9));
  // The difference of a training is to the baseline's of its own seed.
  const json less = arms["trainings"][3]["frechet"]["difference"];
  CHECK_THAT(less["value"].get<double>(),
             Catch::Matchers::WithinRel(arms["trainings"][3]["frechet"]["value"].get<double>() -
                                            arms["trainings"][1]["frechet"]["value"].get<double>(),
                                        1e-9));
  CHECK_FALSE(arms["trainings"][1]["frechet"].contains("difference"));
  // Two arms, two seeds: t of 2 degrees of freedom, 4.303, times the error of half of the trainings
  // among all.
  const double spread =
      std::pow(logs("low", 0) - logs("low", 1), 2) / 2 + std::pow(logs("high", 0) - logs("high", 1), 2) / 2;
  const double error = 4.303 * std::sqrt(spread / 2 * (1 - 0.5) / 2);
  REQUIRE(arms["effects"].size() == 2);
  CHECK_THAT(std::log(arms["effects"][1]["high"].get<double>() / arms["effects"][1]["factor"].get<double>()),
             Catch::Matchers::WithinRel(error, 1e-3));
  const std::string csv = text_of(out / "arms.csv"), page = text_of(out / "report.html");
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 1 + 4 + 2);
  CHECK(csv.find("\"high\",all,") != std::string::npos);
  for (const char* part : {"times the baseline", "spread over seeds", "high seed 5"})
    CHECK(page.find(part) != std::string::npos);

  const Outcome missing = edmund_run(
      trained(),
      "ablate seeds.yaml 'set=[\"evaluation.features={type: inception, file: none.safetensors}\"]' --out other");
  INFO(missing.output);
  CHECK(missing.code == 2);
  CHECK(missing.output.find("none.safetensors is not there") != std::string::npos);
  const Outcome refused = edmund_run(trained(), "ablate seeds.yaml compare.baseline=hgh --out other");
  CHECK(refused.code == 2);
  CHECK(refused.output.find("no variant or model of the name 'hgh'") != std::string::npos);
  CHECK_FALSE(fs::exists(trained() / "other"));
}

}  // namespace edmund::testing
