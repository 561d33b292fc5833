// evaluate, stats and compare as a user runs them: the same number under the same name, and none
// that is not known.
#include "support/catch.h"
#include "support/process.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

namespace edmund::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// A folder with a run trained on pictures of two classes, the first three times as frequent.
const fs::path& trained() {
  static const TemporaryFolder folder;
  static const bool once = [] {
    write_idx_data(folder.path());
    // labels: every fourth picture is of class 1
    std::string labels("\0\0\x08\x01\0\0\0\xc8", 8);
    for (int i = 0; i < 200; ++i) labels += static_cast<char>(i % 4 == 3);
    write_text(folder.path() / "labels.idx", labels);
    write_text(folder.path() / "config.yaml", small_config());
    const Outcome outcome = edmund_run(folder.path(), "train config.yaml --quiet");
    INFO(outcome.output);
    REQUIRE(outcome.code == 0);
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

// What the command prints as JSON, behind its warnings.
json facts_of(const std::string& command) {
  const Outcome outcome = edmund_run(trained(), command + " --json --quiet");
  INFO(command << ": " << outcome.output);
  REQUIRE(outcome.code == 0);
  REQUIRE(outcome.output.find('{') != std::string::npos);
  return json::parse(outcome.output.substr(outcome.output.find('{')));
}

json rows() { return json::parse(text_of(trained() / "runs/small/scores.json")); }

const std::string kPixels = "evaluation.features.type=identity evaluation.images=100 ";

}  // namespace

TEST_CASE("a Fréchet distance is one number, drawn, from a folder, to a reference file and in a comparison", "[app]") {
  const json drawn = facts_of("evaluate runs/small " + kPixels)["scores"];
  REQUIRE(edmund_run(trained(), "sample runs/small --images 100 --seed 0 --out same --quiet").code == 0);
  for (const char* other : {"same/sheet.png", "same/samples.json"}) fs::remove(trained() / other);
  const json folder = facts_of("evaluate runs/small --folder same " + kPixels)["scores"];
  REQUIRE(edmund_run(trained(), "stats config.yaml evaluation.features.type=identity --out real.npz --quiet").code ==
          0);
  CHECK_FALSE(fs::exists(trained() / "real.npz.parts"));
  const json file = facts_of("evaluate runs/small evaluation.reference=real.npz " + kPixels)["scores"],
             alone = facts_of("evaluate runs/small evaluation.reference=real.npz evaluation.metrics=[frechet] " +
                              kPixels)["scores"];
  // The comparison takes the features from the run.
  REQUIRE(edmund_run(trained(), "train config.yaml --run runs/pixels evaluation.features.type=identity --quiet").code ==
          0);
  write_text(trained() / "one.yaml",
             "models: [{name: m, run: runs/pixels}]\nimages: 100\nblock: 30\nreal: 50\ndistance: {images: 0}\n"
             "variants: [{name: v, sampling: {}}]\n");
  REQUIRE(edmund_run(trained(), "compare one.yaml --out one --quiet").code == 0);
  const json compared = json::parse(text_of(trained() / "one/results.json"))["cells"][0]["scores"];
  const auto same = Catch::Matchers::WithinRel(drawn[0]["value"].get<double>(), 1e-9);
  for (const json& other : {folder[0], file[0], alone[0], compared["frechet"]}) {
    INFO(other.dump());
    CHECK_THAT(other["value"].get<double>(), same);
    CHECK(other["images"] == 100);
    CHECK(other["real"] == 200);
    CHECK(other["estimator"] == drawn[0]["estimator"]);
    CHECK(other["name"] == drawn[0]["name"]);
    if (other == folder[0]) continue;  // of whose classes nobody knows: chance among all
    CHECK_THAT(other["bias"].get<double>(), Catch::Matchers::WithinRel(drawn[0]["bias"].get<double>(), 1e-6));
    CHECK_THAT(other["error"].get<double>(), Catch::Matchers::WithinRel(drawn[0]["error"].get<double>(), 1e-6));
    CHECK_THAT(other["low"].get<double>(), Catch::Matchers::WithinRel(drawn[0]["low"].get<double>(), 1e-6));
  }
  CHECK(drawn[0]["value"].get<double>() >= 0);
  CHECK_THAT(drawn[0]["corrected"].get<double>(),
             Catch::Matchers::WithinAbs(drawn[0]["value"].get<double>() - drawn[0]["bias"].get<double>(), 1e-12));
  CHECK_THAT(folder[1]["value"].get<double>(), Catch::Matchers::WithinRel(drawn[1]["value"].get<double>(), 1e-9));
  CHECK(compared["kid"]["real"] == 50);
}

TEST_CASE("the plot, the table and the JSON of a comparison show one interval about one value", "[app]") {
  write_text(trained() / "page.yaml",
             "models: [{name: m, run: runs/small}]\nimages: 60\nnfe: [5]\ndistance: {images: 0}\n"
             "variants: [{name: heun, sampling: {}}, {name: euler, sampling: {sampler: euler}}]\n");
  REQUIRE(edmund_run(trained(), "compare page.yaml --out page --quiet").code == 0);
  const json table = json::parse(text_of(trained() / "page/results.json"));
  const std::string page = text_of(trained() / "page/report.html");
  const auto shown = [](double value) {
    std::ostringstream out;
    out.precision(4);
    out << value;
    return out.str();
  };
  for (const auto& cell : table["cells"]) {
    const json score = cell["scores"]["frechet"];
    const double value = score["value"], low = score["low"], high = score["high"];
    INFO(score.dump());
    CHECK_THAT(high - value, Catch::Matchers::WithinRel(1.959964 * score["error"].get<double>(), 1e-6));
    CHECK_THAT(value - low, Catch::Matchers::WithinRel(high - value, 1e-6));
    // the table
    CHECK(page.find(shown(value) + " [" + shown(low) + ", " + shown(high) + "]") != std::string::npos);
    // the plot
    CHECK(page.find(": " + shown(value) + " [" + shown(low) + ", " + shown(high) + "]") != std::string::npos);
  }
  CHECK(table["cells"][1]["scores"]["frechet"]["difference"]["error"].get<double>() > 0);
  CHECK(page.find("plug-in: mean and covariance of all drawn images against those of all real ones; 60 images against "
                  "200 real ones") != std::string::npos);
}

TEST_CASE("what cannot be told of few images is null, and said", "[app]") {
  const Outcome few = edmund_run(trained(),
                                 "evaluate runs/small evaluation.features.type=identity evaluation.images=40 "
                                 "evaluation.metrics=[frechet] --name few");
  INFO(few.output);
  REQUIRE(few.code == 0);
  CHECK(few.output.find("40 images against 200 real ones are few for 64 features") != std::string::npos);
  CHECK(few.output.find("error unknown") != std::string::npos);
  CHECK(few.output.find("nan") == std::string::npos);
  const json score = rows().back()["scores"][0];
  for (const char* key : {"error", "low", "high", "bias", "corrected"}) CHECK(score[key].is_null());
  CHECK(score["value"].is_number());
  CHECK(text_of(trained() / "runs/small/report.html").find("nan") == std::string::npos);
}

TEST_CASE("evaluations that differ in anything are rows of their own, named after the difference", "[app]") {
  fs::remove(trained() / "runs/small/scores.json");
  const std::string base = "evaluate runs/small evaluation.metrics=[frechet] --quiet ";
  const std::vector<std::pair<std::string, std::string>> others = {
      {"", "heun, 4 steps (karras) on edm"},
      {"--raw", "raw weights"},
      {"sampling.sampler.S_churn=3", "S_churn=3"},
      {"sampling.grid.sigma_max=20 evaluation.seed=1", "sigma_max=20, seed 1"},
      {"evaluation.images=20", "20 images"},
      {"sampling.classes=even", "classes drawn evenly"},
      {"sampling.sampler.type=euler", "euler, 4 steps"}};
  for (const auto& [flags, named] : others) {
    const Outcome outcome = edmund_run(trained(), base + flags);
    INFO(flags << ": " << outcome.output);
    REQUIRE(outcome.code == 0);
    CHECK(rows().back()["name"].get<std::string>().find(named) != std::string::npos);
  }
  CHECK(rows().size() == others.size());
  const Outcome checkpoint =
      edmund_run(trained(), "evaluate runs/small/checkpoints/000000000064 evaluation.metrics=[frechet] --quiet");
  REQUIRE(checkpoint.code == 0);
  CHECK(rows().size() == others.size() + 1);
  CHECK(rows().back()["name"] == "heun, 4 steps (karras) on edm, checkpoint 64");
  // Two checkpoints that are scored alike are one curve of the report, and of TensorBoard's.
  CHECK(rows().back()["protocol"] == rows()[0]["protocol"]);
  CHECK(rows()[2]["protocol"] != rows()[0]["protocol"]);
  CHECK(text_of(trained() / "runs/small/report.html").find("along training") != std::string::npos);
  std::string events;
  for (const auto& entry : fs::directory_iterator(trained() / "runs/small/events/scores"))
    events += text_of(entry.path());
  const std::string tag = rows()[0]["scores"][0]["name"].get<std::string>() + "/heun, 4 steps (karras) on edm";
  CHECK(events.find(tag + "\x15") != std::string::npos);  // key of the value, a float: the tag ends
  CHECK(events.find(tag, events.find(tag) + 1) != std::string::npos);
  // The same evaluation takes the place of its row, whatever the batch.
  REQUIRE(edmund_run(trained(), base + "--raw sampling.batch_size=7 --name again").code == 0);
  CHECK(rows().size() == others.size() + 1);
  CHECK(rows()[1]["name"] == "again");
  // A name that another evaluation has is not taken from it.
  const Outcome taken = edmund_run(trained(), base + "--name again evaluation.seed=9");
  CHECK(taken.code == 0);
  CHECK(taken.output.find("'again' is the name of another evaluation") != std::string::npos);
  CHECK(rows().size() == others.size() + 2);
  CHECK(rows().back()["name"] == "again (2)");
  CHECK(rows()[1]["weights"] == "raw");
}

TEST_CASE("classes are drawn as often as in the data, and runs that do not know how often say so", "[app]") {
  const json row = facts_of("evaluate runs/small --name frequent");
  CHECK(row["classes"] == "drawn as often as in the training data");
  REQUIRE(edmund_run(trained(), "sample runs/small --images 16 --out sixteen --quiet").code == 0);
  const json facts = json::parse(text_of(trained() / "sixteen/samples.json"));
  CHECK(std::ranges::count(facts["labels"], json(1)) == 4);
  CHECK(facts_of("evaluate runs/small --name even sampling.classes=even")["classes"] == "drawn evenly");
}

TEST_CASE("an evaluation that is interrupted goes on with the images that were drawn, to the same scores", "[app]") {
  const std::string command = "evaluate runs/small evaluation.images=400 sampling.batch_size=8 evaluation.seed=5 ";
  int interrupted = 0;
  for (int i = 0; i < 40; ++i) {
    const Outcome outcome = edmund_run(trained(), command + "--quiet",
                                       "timeout -s INT " + std::to_string(0.4 + 0.05 * i) + " " EDMUND_BINARY);
    if (outcome.code == 124 || outcome.code == 75) ++interrupted;
    if (outcome.code == 0) break;
  }
  CHECK(interrupted > 0);
  const json resumed = facts_of(command);
  for (const auto& entry : fs::directory_iterator(trained() / "runs/small/cache"))
    CHECK_FALSE(entry.path().filename().string().starts_with("drawn-"));
  fs::remove_all(trained() / "runs/small/cache");
  const json whole = facts_of(command);
  CHECK(resumed["scores"] == whole["scores"]);
}

}  // namespace edmund::testing
