#include "support/catch.h"
#include "support/process.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace edmund::testing {
namespace {

using nlohmann::json;

TEST_CASE("help and version answer without a config", "[app]") {
  const TemporaryFolder folder;
  CHECK(edmund_run(folder.path(), "--version").code == 0);
  CHECK(edmund_run(folder.path(), "--help").code == 0);
  CHECK(edmund_run(folder.path(), "train --help").code == 0);
}

TEST_CASE("What edmund answers by itself is what edmund-core answers", "[app]") {
  const TemporaryFolder folder;
  for (const std::string arguments : {"--version", "--help", "-h", "help", "list", "list --json", "list samplers",
                                      "completion bash", "completion zsh", "completion fish", ""}) {
    const Outcome ours = edmund_run(folder.path(), arguments);
    const Outcome core = edmund_run(folder.path(), arguments, EDMUND_BINARY "-core");
    INFO(arguments);
    CHECK(ours.code == core.code);
    CHECK(ours.output == core.output);
    CHECK(!ours.output.empty());
  }
}

TEST_CASE("edmund starts edmund-core with a heap of large pages, unless told otherwise", "[app]") {
  const TemporaryFolder folder;
  const auto program = folder.path() / "edmund";
  std::filesystem::copy_file(EDMUND_BINARY, program);
  {
    std::ofstream core(folder.path() / "edmund-core");
    core << "#!/bin/sh\necho \"tunables $GLIBC_TUNABLES arguments $*\"\n";
  }
  std::filesystem::permissions(folder.path() / "edmund-core", std::filesystem::perms::owner_all);
  const auto output = [&](const std::string& before) {
    return edmund_run(folder.path(), "train x.yaml", "GLIBC_TUNABLES=" + before + " " + program.string()).output;
  };
  CHECK(output("") == "tunables glibc.malloc.hugetlb=1 arguments train x.yaml\n");
  CHECK(output("glibc.malloc.check=0") ==
        "tunables glibc.malloc.check=0:glibc.malloc.hugetlb=1 arguments train x.yaml\n");
  CHECK(output("glibc.malloc.hugetlb=0") == "tunables glibc.malloc.hugetlb=0 arguments train x.yaml\n");
}

TEST_CASE("OpenMP's threads wait for a short time only, unless told otherwise", "[app]") {
  const TemporaryFolder folder;
  const auto program = folder.path() / "edmund";
  std::filesystem::copy_file(EDMUND_BINARY, program);
  write_text(folder.path() / "edmund-core", "#!/bin/sh\necho \"turns $GOMP_SPINCOUNT\"\n");
  std::filesystem::permissions(folder.path() / "edmund-core", std::filesystem::perms::owner_all);
  const auto output = [&](const std::string& before) {
    return edmund_run(folder.path(), "train x.yaml", before + " " + program.string()).output;
  };
  CHECK(output("env -u GOMP_SPINCOUNT -u OMP_WAIT_POLICY") == "turns 5000\n");
  CHECK(output("GOMP_SPINCOUNT=7") == "turns 7\n");
  CHECK(output("env -u GOMP_SPINCOUNT OMP_WAIT_POLICY=active") == "turns \n");
}

TEST_CASE("list shows every plugin with a line about it, as text and as JSON", "[app]") {
  const TemporaryFolder folder;
  const json all = json::parse(edmund_run(folder.path(), "list --json").output);
  for (const std::string family : {"schedules", "samplers", "grids", "preconditionings", "noise-levels", "networks",
                                   "datasets", "features", "emas", "loss-weights", "metrics"}) {
    REQUIRE(all.contains(family));
    for (const auto& entry : all[family]) {
      CHECK(entry["about"].get<std::string>().size() > 10);
      CHECK(!entry["source"].get<std::string>().empty());
    }
  }
  const Outcome text = edmund_run(folder.path(), "list samplers");
  CHECK(text.output.find("heun") != std::string::npos);
  CHECK(text.output.find("Karras et al. 2022") != std::string::npos);
}

TEST_CASE("config prints a config that means the same", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  const Outcome once = edmund_run(folder.path(), "config config.yaml training.images=1e2");
  REQUIRE(once.code == 0);
  CHECK(once.output.find("images: 100") != std::string::npos);
  CHECK(once.output.find("\n    # rho: 7\n") != std::string::npos);  // a default
  // what the data are, which is no default
  CHECK(once.output.find("\nimage:\n  channels: 1\n  height: 8\n  width: 8\n  classes: 2\n") != std::string::npos);
  write_text(folder.path() / "again.yaml", once.output);
  CHECK(edmund_run(folder.path(), "config again.yaml").output == once.output);
  // A default is no choice: another schedule brings its own.
  const std::string other = " sampling.schedule.type=vp --json";
  CHECK(edmund_run(folder.path(), "config again.yaml" + other).output ==
        edmund_run(folder.path(), "config config.yaml training.images=1e2" + other).output);
  const Outcome chosen = edmund_run(folder.path(), "config config.yaml --chosen");
  CHECK(chosen.output.find("rho") == std::string::npos);
  CHECK(chosen.output.find("images: " + (folder.path() / "images.idx").string()) != std::string::npos);
}

TEST_CASE("inspect shows the noise levels and coefficients of a config", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  const json facts = json::parse(edmund_run(folder.path(), "inspect config.yaml --json").output);
  REQUIRE(facts["levels"].size() == 4);
  CHECK(facts["levels"][0]["sigma"].get<double>() == Catch::Approx(80.0));
  CHECK(facts["parameters"].get<std::int64_t>() > 1000);
}

TEST_CASE("train, sample and evaluate go through on a small data set", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  const Outcome trained = edmund_run(folder.path(), "train config.yaml");
  INFO(trained.output);
  REQUIRE(trained.code == 0);
  const auto run = folder.path() / "runs" / "small";
  for (const std::string file : {"config.yaml", "metrics.jsonl", "log.txt", "report.html", "images/trajectory.png",
                                 "images/samples-000000000096.png", "checkpoints/000000000096/state.json"})
    CHECK(std::filesystem::exists(run / file));

  SECTION("sampling gives the same pictures in batches of 1 and of 64, at any numbers") {
    REQUIRE(edmund_run(folder.path(), "sample runs/small --images 6 --out a sampling.batch_size=1").code == 0);
    REQUIRE(edmund_run(folder.path(), "sample runs/small --images 6 --out b sampling.batch_size=64").code == 0);
    REQUIRE(edmund_run(folder.path(), "sample runs/small --numbers 4 --out c").code == 0);
    const auto bytes = [&](const std::string& file) {
      std::ifstream stream(folder.path() / file, std::ios::binary);
      return std::string(std::istreambuf_iterator<char>(stream), {});
    };
    for (int i = 0; i < 6; ++i)
      CHECK(bytes("a/00000" + std::to_string(i) + ".png") == bytes("b/00000" + std::to_string(i) + ".png"));
    CHECK(bytes("a/000004.png") == bytes("c/000004.png"));
  }
  SECTION("a run's config that was edited is told not to count") {
    const auto warns = [&] {
      const Outcome outcome = edmund_run(folder.path(), "sample runs/small --images 1 --overwrite --out e");
      INFO(outcome.output);
      CHECK(outcome.code == 0);
      return outcome.output.find("what its checkpoint says, which counts") != std::string::npos;
    };
    CHECK_FALSE(warns());
    std::string text = small_config();
    write_text(run / "config.yaml", text.replace(text.find("steps: 4"), 8, "steps: 7"));
    CHECK(warns());
  }
  SECTION("evaluate scores several samplers on the same weights") {
    REQUIRE(edmund_run(folder.path(), "evaluate runs/small --name heun").code == 0);
    const Outcome second = edmund_run(
        folder.path(), "evaluate runs/small --name ancestral sampling.sampler.type=ancestral --json --quiet");
    INFO(second.output);
    REQUIRE(second.code == 0);
    const json result = json::parse(second.output);
    for (const auto& score : result["scores"]) {
      CHECK(std::isfinite(score["value"].get<double>()));
      CHECK(score["floor"].get<double>() < score["ceiling"].get<double>());
      CHECK(score["name"].get<std::string>().find("FID") == std::string::npos);
    }
    std::ifstream scores(run / "scores.json");
    CHECK(json::parse(scores).size() == 2);
  }
  SECTION("optimize-grid writes a grid file that sampling takes") {
    const Outcome found = edmund_run(
        folder.path(), "optimize-grid runs/small --steps 3 --images 8 --held-out 8 --iterations 2 --json --quiet");
    INFO(found.output);
    REQUIRE(found.code == 0);
    const json facts = json::parse(found.output);
    CHECK(facts["optimized"]["sigmas"].size() == 3);
    CHECK(facts["evaluations"] == 5);
    CHECK(facts["standard"].size() > 10);
    CHECK(std::filesystem::exists(run / "grid-3.json"));
    const Outcome drawn = edmund_run(
        folder.path(),
        "sample runs/small --images 4 --json --quiet 'sampling.grid={type: file, file: runs/small/grid-3.yaml}'");
    INFO(drawn.output);
    REQUIRE(drawn.code == 0);
    CHECK(json::parse(drawn.output)["evaluations_per_image"] == 5);
    const Outcome stochastic =
        edmund_run(folder.path(), "optimize-grid runs/small --steps 3 sampling.sampler=ancestral");
    CHECK(stochastic.code == 2);
    CHECK(stochastic.output.find("no noise") != std::string::npos);
  }
  SECTION("evaluate takes the metrics and the reference that the config names, and keeps features") {
    const Outcome made = edmund_run(folder.path(), "stats config.yaml --out ref.npz --quiet");
    INFO(made.output);
    REQUIRE(made.code == 0);
    CHECK(made.output.find("ref.npz: 200 images") == 0);
    const std::string command =
        "evaluate runs/small --json --quiet evaluation.metrics=[frechet,precision_recall] evaluation.reference=ref.npz";
    const Outcome first = edmund_run(folder.path(), command);
    INFO(first.output);
    REQUIRE(first.code == 0);
    const json result = json::parse(first.output);
    REQUIRE(result["scores"].size() == 3);
    CHECK(result["scores"][1]["name"] == "Precision (pca, 1-d)");  // the pictures lie on a line
    CHECK(result["scores"][0]["floor"].get<double>() < result["scores"][0]["ceiling"].get<double>());
    CHECK(result["reference"]["count"] == 200);
    CHECK(result["reference"]["extractor"].get<std::string>().starts_with("pca "));
    CHECK(result["reference"]["resize"].get<std::string>().find("8x8") != std::string::npos);
    CHECK(!std::filesystem::is_empty(run / "cache"));
    CHECK(json::parse(edmund_run(folder.path(), command).output)["scores"] == result["scores"]);

    const Outcome other = edmund_run(folder.path(), command + " evaluation.features.type=identity");
    CHECK(other.code == 2);
    CHECK(other.output.find("ref.npz: statistics of 1 features") != std::string::npos);
    const Outcome unknown = edmund_run(folder.path(), "evaluate runs/small evaluation.metrics=[fretchet]");
    CHECK(unknown.code == 2);
    CHECK(unknown.output.find("did you mean 'frechet'") != std::string::npos);
    write_text(folder.path() / "bad.npz", "no archive");
    const Outcome bad = edmund_run(folder.path(), "evaluate runs/small --quiet evaluation.reference=bad.npz");
    CHECK(bad.code == 2);
    CHECK(bad.output.find("bad.npz") != std::string::npos);
  }
  SECTION("training goes on from the newest checkpoint and refuses another training") {
    CHECK(edmund_run(folder.path(), "train config.yaml training.images=128").code == 0);
    CHECK(std::filesystem::exists(run / "checkpoints/000000000128/state.json"));
    const Outcome other = edmund_run(folder.path(), "train config.yaml network.channels=16");
    CHECK(other.code == 2);
    CHECK(other.output.find("network.channels") != std::string::npos);
    CHECK(other.output.find("--run") != std::string::npos);
  }
}

}  // namespace
}  // namespace edmund::testing
