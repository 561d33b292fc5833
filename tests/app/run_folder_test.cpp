#include "edmund/training/checkpoint.h"
#include "support/catch.h"
#include "support/process.h"

#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

namespace edmund::testing {
namespace {

TEST_CASE("an interrupted training saves, exits with 75, and goes on", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  const Outcome stopped = edmund_run(folder.path(),
                                     "train config.yaml training.images=1e6 & pid=$!; while ! grep -q images "
                                     "runs/small/metrics.jsonl 2>/dev/null; do sleep 0.05; done; "
                                     "kill -INT $pid; wait $pid; echo code $?");
  INFO(stopped.output);
  CHECK(stopped.output.find("code 75") != std::string::npos);
  bool saved = false;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "runs/small/checkpoints"))
    saved = saved || std::filesystem::exists(entry.path() / "state.json");
  CHECK(saved);
}

TEST_CASE("a second training in a folder is refused, the first goes on; a dead one's is taken over", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  const std::string start =
      "train config.yaml training.images=1e6 2>/dev/null & pid=$!; while ! grep -q images runs/small/metrics.jsonl "
      "2>/dev/null; do sleep 0.05; done; ";
  const Outcome two = edmund_run(
      folder.path(), start + EDMUND_BINARY +
                         " train config.yaml training.images=1e6 2>&1; echo code $?; "
                         "kill -INT $pid; wait $pid; echo first $?; ls -A runs/small | grep lock; echo pid $pid");
  INFO(two.output);
  const std::string pid = two.output.substr(two.output.rfind(' ') + 1, two.output.size() - two.output.rfind(' ') - 2);
  CHECK(two.output.starts_with("error: runs/small: is being trained by process " + pid + " on "));
  CHECK(two.output.find("code 2\nfirst 75\npid") != std::string::npos);

  const Outcome killed =
      edmund_run(folder.path(),
                 "train config.yaml training.images=1e6 2>/dev/null & pid=$!; while ! [ -s runs/small/.lock ]; do "
                 "sleep 0.05; done; kill -9 $pid; wait $pid; ls runs/small/.lock");
  CHECK(killed.output.find(".lock") != std::string::npos);
  const Outcome after = edmund_run(folder.path(), "train runs/small training.images=32");
  INFO(after.output);
  CHECK(after.output.find("which is gone: taken over") != std::string::npos);
  CHECK(!std::filesystem::exists(folder.path() / "runs/small/.lock"));
}

TEST_CASE("a damaged checkpoint is passed over, or named when asked for", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  REQUIRE(edmund_run(folder.path(), "train config.yaml").code == 0);
  const auto checkpoints = folder.path() / "runs/small/checkpoints";
  const auto images = [&] { return read_header(checkpoints / "000000000096").images; };
  CHECK(images() == 96);
  std::filesystem::resize_file(checkpoints / "000000000096/ema.safetensors", 100);
  CHECK(images() == 96);  // a header reads no tensors
  const Outcome direct = edmund_run(folder.path(), "sample runs/small/checkpoints/000000000096 --images 1");
  INFO(direct.output);
  CHECK(direct.code == 2);
  CHECK(direct.output.find("ema.safetensors") != std::string::npos);
  const std::string levels(200'000, '[');
  for (const char* file : {"scores.json", "images/curvature.json"})
    write_text(folder.path() / "runs/small" / file, levels);
  const Outcome newest = edmund_run(folder.path(), "sample runs/small --images 1");
  CHECK(newest.code == 0);
  CHECK(newest.output.find("000000000064") != std::string::npos);

  // What is nested without end is damaged, does not exhaust the stack, and is made again.
  const Outcome scored = edmund_run(folder.path(), "evaluate runs/small evaluation.images=4");
  INFO(scored.output);
  CHECK(scored.code == 0);
  CHECK(scored.output.find("scores.json: damaged") != std::string::npos);
  CHECK(scored.output.find("curvature.json: damaged") != std::string::npos);
  CHECK(std::filesystem::file_size(folder.path() / "runs/small/scores.damaged.json") == levels.size());
  const std::string state = checkpoints / "000000000064/state.json";
  std::filesystem::copy(state, folder.path() / "state.json");
  write_text(state, levels);
  const Outcome deep = edmund_run(folder.path(), "sample runs/small/checkpoints/000000000064 --images 1");
  INFO(deep.output);
  CHECK(deep.code == 2);
  CHECK(deep.output.find("state.json: not a JSON object") != std::string::npos);
  std::filesystem::rename(folder.path() / "state.json", state);

  // Where none is whole, nothing may be trained over them.
  std::filesystem::resize_file(checkpoints / "000000000064/network.safetensors", 100);
  for (const char* command : {"train config.yaml", "sample runs/small --images 1"}) {
    const Outcome refused = edmund_run(folder.path(), command);
    INFO(refused.output);
    CHECK(refused.code == 2);
    CHECK(refused.output.find("no whole checkpoint among") != std::string::npos);
  }
  CHECK(std::filesystem::file_size(checkpoints / "000000000064/network.safetensors") == 100);
}

TEST_CASE("held-out images choose the checkpoints that are kept, and end a training that no longer improves", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  const std::string held_out = " 'evaluation.held_out={type: idx, images: images.idx, labels: labels.idx}'";
  // A rate of next to nothing: the first measured loss is the lowest or as good as that.
  const Outcome ended = edmund_run(folder.path(),
                                   "train config.yaml training.images=4096 training.checkpoint_every=64 "
                                   "training.learning_rate=1e-30 training.validation.patience=256 "
                                   "training.keep_checkpoints=1" +
                                       held_out);
  INFO(ended.output);
  REQUIRE(ended.code == 0);
  CHECK(ended.output.find("no lower validation loss in 256 images") != std::string::npos);
  const auto run = folder.path() / "runs/small";
  CHECK(std::filesystem::exists(run / "validation.jsonl"));
  std::size_t kept = 0;
  for (const auto& entry : std::filesystem::directory_iterator(run / "checkpoints"))
    kept += std::filesystem::is_directory(entry.path()) ? 1 : 0;
  CHECK(kept == 2);  // the newest and the best

  const Outcome refused = edmund_run(folder.path(), "train config.yaml --run other training.validation.images=5");
  INFO(refused.output);
  CHECK(refused.code == 2);
  CHECK(refused.output.find("evaluation.held_out") != std::string::npos);
}

TEST_CASE("a run starts from the weights of another one", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  REQUIRE(edmund_run(folder.path(), "train config.yaml").code == 0);
  const Outcome tuned = edmund_run(folder.path(),
                                   "train config.yaml --run tuned training.init=runs/small training.images=8 "
                                   "training.batch_size=8 training.learning_rate=1e-30");
  INFO(tuned.output);
  REQUIRE(tuned.code == 0);
  const Checkpoint before = load_checkpoint(*newest_checkpoint(folder.path() / "runs/small")),
                   after = load_checkpoint(*newest_checkpoint(folder.path() / "tuned"));
  REQUIRE(after.network.size() == before.ema.size());
  for (std::size_t i = 0; i < before.ema.size(); ++i) CHECK(after.network[i].second.allclose(before.ema[i].second));

  const Outcome refused = edmund_run(folder.path(), "train config.yaml --run third training.init=nowhere");
  INFO(refused.output);
  CHECK(refused.code == 2);
  CHECK(refused.output.find("nowhere: no such run folder") != std::string::npos);
}

}  // namespace
}  // namespace edmund::testing
