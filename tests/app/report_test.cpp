// A report is written of whatever lies in a run.
#include "edmund/app/run.h"
#include "edmund/app/score_curves.h"
#include "edmund/core/files.h"
#include "support/catch.h"
#include "support/process.h"

#include <string>
#include <vector>

namespace edmund::testing {

TEST_CASE("values that are missing fail no report", "[app]") {
  const TemporaryFolder folder;
  write_text(folder.path() / "config.yaml", small_config());
  const RunFolder run{folder.path()};
  const std::string good =
      R"({"images": 64, "loss": 0.5, "skipped_steps": 1, "bins": [{"sigma": 1, "loss": 0.5, "count": 3}]})";
  const std::vector<std::string> lines = {
      "",
      "{}",
      "[1]",
      "{\"images\": null, \"loss\": 1}",
      R"({"images": 32, "loss": null, "gradient_norm": null, "skipped_steps": null, "bins": null})",
      R"({"images": 32, "loss": "nan", "bins": [{"sigma": null, "loss": 1}, {"sigma": 1, "loss": null}, {}, 7, null]})",
      R"({"images": 32, "bins": 7})",
      R"({"images": 32, "loss": NaN})",
      "not JSON",
  };
  const std::vector<std::string> timing = {"", R"({"images": 32, "seconds": null, "images_per_second": null})",
                                           R"({"images": 64, "images_per_second": 7})"};
  const std::string score =
      R"({"name": "heun", "images": null, "seed": null, "trained_images": null, "weights": null, "class_agreement": null,
          "scores": [{"name": "frechet", "value": null, "low": null, "high": null, "bias": null, "estimator": null},
                     {"name": null, "value": 3, "low": null}, null, {}]})";
  const std::vector<std::string> scores = {"", "null", "{}", "[null, 3, " + score + "]"};
  for (const std::string& line : lines)
    for (const std::string& time : timing)
      for (const std::string& all : scores) {
        INFO(line << "\n" << time << "\n" << all);
        write_text(run.metrics(), line + "\n" + good + "\n" + line + "\n");
        write_text(run.timing(), time + "\n");
        write_text(run.path / "validation.jsonl", line + "\n");
        write_text(run.scores(), all);
        CHECK_NOTHROW(write_report(run, 1000));
        CHECK_NOTHROW(write_score_events(run));
        CHECK(read_file(run.report()).find("Training loss") != std::string::npos);
      }
}

TEST_CASE("curvature with missing values, and damaged branches, fail no report", "[app]") {
  const TemporaryFolder folder;
  write_text(folder.path() / "config.yaml", small_config());
  const RunFolder run{folder.path()};
  make_folder(run.images());
  const std::string grids =
      GENERATE(R"({"grids": null})", R"({"grids": [null, {"name": null}, {"name": "a", "sigma": null}]})",
               R"({"grids": [{"name": "a", "sigma": [1, null, 3], "error": [null, 2, 3]}]})");
  write_text(run.images() / "curvature.json", grids);
  const std::string branches =
      GENERATE("", "[", "{}", "[null, 3, {}, {\"from_images\": \"x\"}]",
               R"([{"from_images": 64, "aside": null, "changed": {"a": null, "b": {"before": 1}}}])");
  write_text(run.path / "branches.json", branches);
  CHECK_NOTHROW(write_report(run, 1000));
}

}  // namespace edmund::testing
