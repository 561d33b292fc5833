// What a training says of its images before the first step, and when it goes on with others.

#include "edmund/core/format.h"
#include "edmund/io/image_io.h"
#include "support/catch.h"
#include "support/file_formats.h"
#include "support/process.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace edmund::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string image(std::int64_t number) { return png_bytes(picture(3, 8, 8, number)); }

// Forty images of two classes, and a config that trains on them in a moment.
struct Training {
  TemporaryFolder folder;

  explicit Training(const std::string& preconditioning = "{type: edm, sigma_data: 0.5}") {
    for (int i = 0; i < 40; ++i) folder.write(format("data/{}/{}.png", i % 2 == 0 ? "cat" : "owl", 100 + i), image(i));
    write_text(folder.path() / "config.yaml", "preconditioning: " + preconditioning + R"(
name: small
data: {type: folder, root: data}
network: {type: unet, channels: 8, multipliers: [1], blocks: 1, attention: []}
training: {images: 64, batch_size: 16, checkpoint_every: 1000, samples_every: 0}
sampling: {grid: {steps: 2}}
)");
  }
  Outcome train(const std::string& more = "") const { return edmund_run(folder.path(), "train config.yaml " + more); }
  bool has_run() const { return fs::exists(folder.path() / "runs/small/metrics.jsonl"); }
};

bool says(const Outcome& outcome, std::string_view part) { return outcome.output.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("damaged images are named before the first step, or left out, and going on works", "[app]") {
  const Training training;
  for (const int i : {117, 133}) training.folder.write(format("data/owl/{}.png", i), image(0).substr(0, 90));
  const Outcome refused = training.train();
  INFO(refused.output);
  CHECK(refused.code == 2);
  CHECK(says(refused, "2 of 40 images cannot be read: "));
  CHECK(says(refused, "data/owl/117.png: PNG is cut short"));
  CHECK(says(refused, "data/owl/133.png: PNG is cut short"));
  CHECK_FALSE(training.has_run());
  CHECK_FALSE(fs::exists(training.folder.path() / "runs/small"));  // nothing at all was made
  const Outcome dry = training.train("--dry-run");
  CHECK(dry.code == 2);
  CHECK(says(dry, "2 of 40 images cannot be read: "));

  const Outcome first = training.train("data.damaged=skip");
  INFO(first.output);
  CHECK(first.code == 0);
  CHECK(says(first, "2 of 40 images cannot be read and are left out"));
  const Outcome on = training.train("data.damaged=skip training.images=96");
  INFO(on.output);
  CHECK(on.code == 0);
  CHECK(says(on, "going on from"));
}

TEST_CASE("without a check before, what was reached stays when a damaged image is met", "[app]") {
  // without sigma_data, to which images would be compared at the start
  const Training training("{type: eps}");
  training.folder.write("data/owl/117.png", image(0).substr(0, 90));
  const Outcome stopped = training.train("training.check=header training.images=400 training.batch_size=4");
  INFO(stopped.output);
  CHECK(stopped.code == 2);
  CHECK(says(stopped, "data/owl/117.png: PNG is cut short"));
  const auto checkpoints = training.folder.path() / "runs/small/checkpoints";
  CHECK((fs::exists(checkpoints) && !fs::is_empty(checkpoints)));
}

TEST_CASE("a run goes on with the data that it was trained on, or is told to take others", "[app]") {
  const Training training;
  REQUIRE(training.train().code == 0);
  const auto data = training.folder.path() / "data";
  const auto refused = [&](std::string_view what) {
    const Outcome outcome = training.train("training.images=96");
    INFO(outcome.output);
    CHECK(outcome.code == 2);
    CHECK(says(outcome, what));
    CHECK(says(outcome, "training.data_changed=accept"));
  };
  SECTION("in another folder") {
    fs::rename(data, training.folder.path() / "moved");
    CHECK(training.train("training.images=96 data.root=moved").code == 0);
  }
  SECTION("fewer images") {
    fs::remove(data / "cat/100.png");
    refused("its data have changed: 40 images there, 39 here");
    const Outcome accepted = training.train("training.images=96 training.data_changed=accept");
    INFO(accepted.output);
    CHECK(accepted.code == 0);
    CHECK(says(accepted, "going on with other data: 40 images there, 39 here"));
    CHECK(training.train("training.images=128").code == 0);  // the others are its data now
  }
  SECTION("other images under the same names") {
    for (const auto& file : fs::directory_iterator(data / "cat")) write_text(file.path(), image(1));
    refused("as many images (40), but with other names or content");
  }
}

TEST_CASE("inspect shows the data's mean and standard deviation beside sigma_data", "[app]") {
  const Training training;
  const auto found = [&](const std::string& what) {
    return json::parse(edmund_run(training.folder.path(), "inspect " + what + " --json").output)["data"];
  };
  const json of_config = found("config.yaml");
  CHECK(of_config["images"] == 40);
  CHECK(of_config["sigma_data"] == 0.5);
  // Levels of these pictures are spread evenly from 0 to 255: 1/√3, and to a standard error of
  // 0.26/√7680 of it.
  CHECK(std::abs(of_config["mean"].get<double>()) < 0.05);
  CHECK(std::abs(of_config["std"].get<double>() - 0.577) < 0.05);
  REQUIRE(training.train().code == 0);
  CHECK(found("runs/small") == of_config);
  fs::remove_all(training.folder.path() / "data");
  CHECK(found("runs/small")["not_read"].get<std::string>().find("data") != std::string::npos);
}

}  // namespace edmund::testing
