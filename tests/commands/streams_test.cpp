// Standard streams that are full or closed, and bytes that are no UTF-8.
#include "support/catch.h"
#include "support/process.h"

#include <nlohmann/json.hpp>

namespace edmund::testing {
namespace {

TEST_CASE("output that cannot be written gives exit code 1 and the reason", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  for (const std::string command :
       {"--version", "--help", "list", "list --json", "list samplers", "train --help", "config config.yaml",
        "config config.yaml --json", "inspect config.yaml", "grid config.yaml"}) {
    const Outcome outcome = edmund_run(folder.path(), command + " 2>err >/dev/full; echo code $?; cat err");
    INFO(command << "\n" << outcome.output);
    CHECK(outcome.output == "code 1\nerror: standard output: cannot write: No space left on device\n");
  }
  // a mistake remains a mistake
  CHECK(edmund_run(folder.path(), "config gone.yaml >/dev/full").code == 2);
}

TEST_CASE("a reader that closes the pipe gets no message", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  // kept by the launcher, and made by the program
  for (const std::string command : {"man", "config config.yaml"}) {
    const Outcome outcome = edmund_run(folder.path(), command + " 2>err | true; cat err");
    CHECK(outcome.output == "");
  }
}

TEST_CASE("closed standard streams do not lend their numbers to files", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  for (const std::string closed : {"<&- >&- 2>&-", "2>&-", ">&- 2>&-"}) {
    const Outcome outcome =
        edmund_run(folder.path(), "train config.yaml training.log_every=16 " + closed +
                                      "; echo code $?; grep -v '^{' runs/small/metrics.jsonl; rm -r runs");
    INFO(closed);
    CHECK(outcome.output == "code 0\n");
  }
}

TEST_CASE("a folder whose name is no UTF-8 takes pictures, and their JSON says so", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  REQUIRE(edmund_run(folder.path(), "train config.yaml training.images=16").code == 0);
  const Outcome drawn =
      edmund_run(folder.path(), "sample runs/small --images 2 --json --quiet --out \"$(printf 'caf\\351')\"");
  INFO(drawn.output);
  REQUIRE(drawn.code == 0);
  CHECK(nlohmann::json::parse(drawn.output)["folder"] == "caf\xEF\xBF\xBD");
  CHECK(std::filesystem::exists(folder.path() / "caf\xe9" / "samples.json"));

  // What a person types is no YAML.
  const std::string odd = "it's [a]: # \"b\"";
  std::filesystem::rename(folder.path() / "caf\xe9", folder.path() / odd);
  const Outcome scored =
      edmund_run(folder.path(), "evaluate runs/small --json --quiet --folder 'it'\\''s [a]: # \"b\"' --name 'a: # b'");
  INFO(scored.output);
  REQUIRE(scored.code == 0);
  // behind a warning: two images are few
  const auto result = nlohmann::json::parse(scored.output.substr(scored.output.find("\n{") + 1));
  CHECK(result["sampling"] == "images in " + odd);
  CHECK(result["name"] == "a: # b");
}

}  // namespace
}  // namespace edmund::testing
