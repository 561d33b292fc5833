// ema, and --ema of the commands that draw: averages of the weights of any length, made after a
// training.
#include "support/catch.h"
#include "support/process.h"

#include <nlohmann/json.hpp>
#include <sstream>

namespace edmund::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// A folder with a run that kept two averages along its training, and one that kept none.
const fs::path& trained() {
  static const TemporaryFolder folder;
  static const bool once = [] {
    write_idx_data(folder.path());
    write_text(folder.path() / "config.yaml", small_config());
    for (const std::string run :
         {"train config.yaml training.ema_tracks=[0.05,0.2] training.ema_tracks_every=32 --quiet",
          "train config.yaml --run runs/plain --quiet"}) {
      const Outcome outcome = edmund_run(folder.path(), run);
      INFO(outcome.output);
      REQUIRE(outcome.code == 0);
    }
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

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

const std::string kShort = " evaluation.features.type=identity evaluation.images=20 --quiet";

}  // namespace

TEST_CASE("ema scores averages of several lengths, keeps their rows and plots them", "[app]") {
  CHECK(files_in(trained() / "runs/small/averages") == 3);
  const Outcome outcome = edmund_run(trained(), "ema runs/small --std 0.05,0.1 --json" + kShort);
  INFO(outcome.output);
  REQUIRE(outcome.code == 0);
  const json rows = json::parse(outcome.output.substr(outcome.output.find('[')));
  REQUIRE(rows.size() == 2);
  CHECK(rows[0]["ema_width"] == 0.05);
  CHECK(rows[1]["weights"] == "ema 0.1");
  CHECK(rows[0]["scores"][0]["value"] != rows[1]["scores"][0]["value"]);
  CHECK(text_of(trained() / "runs/small/report.html").find("Length of the average") != std::string::npos);
  // again: the rows that are there already
  const std::string before = text_of(trained() / "runs/small/scores.json");
  REQUIRE(edmund_run(trained(), "ema runs/small --std 0.05,0.1" + kShort).code == 0);
  CHECK(text_of(trained() / "runs/small/scores.json") == before);
}

TEST_CASE("what is drawn with --ema depends on the length", "[app]") {
  for (const std::string width : {"ema", "raw", "0.06", "0.18"}) {
    const Outcome outcome =
        edmund_run(trained(), "sample runs/small --images 2 --ema " + width + " --out drawn-" + width + " --quiet");
    INFO(outcome.output);
    REQUIRE(outcome.code == 0);
    const json about = json::parse(text_of(trained() / ("drawn-" + width) / "samples.json"));
    CHECK(about["weights"] == (width == "ema" || width == "raw" ? width : "ema " + width));
  }
  CHECK(text_of(trained() / "drawn-0.06/000000.png") != text_of(trained() / "drawn-0.18/000000.png"));
  CHECK(text_of(trained() / "drawn-0.06/000000.png") != text_of(trained() / "drawn-raw/000000.png"));
}

TEST_CASE("lengths that cannot be are refused in one line", "[app]") {
  const auto refused = [](const std::string& command, const std::string& says) {
    const Outcome outcome = edmund_run(trained(), command);
    INFO(command << ": " << outcome.output);
    CHECK(outcome.code == 2);
    CHECK(outcome.output.find(says) != std::string::npos);
  };
  refused("ema runs/plain --std 0.1", "no averages were kept along its training");
  refused("sample runs/plain --ema 0.1 --images 1", "no averages of up to");
  refused("sample runs/small --ema 0.3 --images 1", "--ema: expected ema, raw, or a relative width");
  refused("sample runs/small --ema 0.1 --raw --images 1", "--raw: beside --ema 0.1");
  refused("ema runs/small --std 0.1,x", "--std: expected ema, raw, or a relative width");
  refused("ema runs/small --std raw", "--std: expected relative widths");
  refused("train config.yaml --run runs/new training.ema_tracks=[0.1,0.1]", "the same width stands there twice");
  refused("train config.yaml --run runs/new training.ema_tracks=[0.5]", "ema_tracks");
}

TEST_CASE("an interrupted training keeps the averages of the uninterrupted one", "[app]") {
  const std::string train =
      "train config.yaml training.ema_tracks=[0.05,0.2] training.ema_tracks_every=32 --quiet --run ";
  REQUIRE(edmund_run(trained(), train + "runs/parts training.images=48").code == 0);
  REQUIRE(edmund_run(trained(), train + "runs/parts").code == 0);
  for (const auto& entry : fs::directory_iterator(trained() / "runs/small/averages")) {
    const fs::path other = trained() / "runs/parts/averages" / entry.path().filename();
    INFO(other.string());
    CHECK(text_of(entry.path()) == text_of(other));
  }
}

}  // namespace edmund::testing
