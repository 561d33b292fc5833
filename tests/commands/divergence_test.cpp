// Trainings that diverge stop, name the healthy state, leave the batch, and go on by the command
// that they print.
#include "edmund/core/format.h"
#include "edmund/io/npy_array.h"
#include "edmund/io/tensor_file.h"
#include "edmund/networks/state_dict.h"
#include "edmund/training/checkpoint.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/file_formats.h"
#include "support/process.h"

#include <ATen/ATen.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>
#include <vector>

namespace edmund::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// 64 images of real numbers, number `bad` so large that its loss is infinite.
void write_poisoned_data(const TemporaryFolder& folder, std::int64_t bad) {
  Files files;
  std::string labels;
  for (std::int64_t i = 0; i < 64; ++i) {
    const std::string name = format("{}{}.npy", i < 10 ? "0" : "", i);
    const Tensor image = i == bad ? at::full({1, 8, 8}, 1e30) : at::sin(at::arange(64, at::kFloat) * (i % 3 + 1.0));
    files.emplace_back(name, npy_bytes(image.to(at::kFloat).view({1, 8, 8})));
    labels += format(R"({}["{}", {}])", i == 0 ? "" : ", ", name, i % 2);
  }
  files.emplace_back("dataset.json", format(R"({"labels": [{}]})", labels));
  folder.write("data.zip", zip_bytes(folder, files));
}

// What stands behind `words` up to the end of the line.
std::string behind(const std::string& text, const std::string& words) {
  const auto at = text.rfind(words);
  if (at == text.npos) return "";
  const auto begin = at + words.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

// "edmund train …" without its first word.
std::string arguments_of(const std::string& command) {
  const std::string program = "edmund ";
  return command.starts_with(program) ? command.substr(program.size()) : "";
}

std::size_t error_lines(const std::string& output) {
  std::size_t count = 0;
  for (auto at = output.find("error: "); at != output.npos; at = output.find("error: ", at + 1)) ++count;
  return count;
}

struct Divergence {
  std::string name, overrides, told;
  bool poisoned = false;    // the data have an image whose loss is not finite
  bool begun = false;       // a healthy training first, which is gone on with by these
  bool of_weights = false;  // a checkpoint was due before a step went wrong: there is no batch
};

TEST_CASE("a training that diverges stops at the healthy state and goes on by the printed command", "[commands]") {
  const auto given = GENERATE(values<Divergence>({
      {.name = "rate 1e5", .overrides = "training.learning_rate=1e5", .told = "training: "},
      {.name = "rate 1e38",
       .overrides = "training.learning_rate=1e38",
       .told = "holds values that are not finite after 32 images",
       .of_weights = true},
      {.name = "scale 1e38", .overrides = "training.loss_scale=1e38", .told = "no finite gradient in 10 steps"},
      {.name = "rate 1e5 after 96 images",
       .overrides = "training.learning_rate=1e5",
       .told = "training: ",
       .begun = true},
      {.name = "rate 1e38 after 96 images",
       .overrides = "training.learning_rate=1e38",
       .told = "no finite gradient in 10 steps",
       .begun = true},
      {.name = "scale 1e38 after 96 images",
       .overrides = "training.loss_scale=1e38",
       .told = "no finite gradient in 10 steps",
       .begun = true},
      {.name = "a poisoned image",
       .overrides = "training.max_skipped=1 training.checkpoint_every=16",
       .told = "no finite gradient in 1 steps",
       .poisoned = true},
  }));
  INFO(given.name);
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  std::string config = small_config();
  if (given.poisoned) {
    write_poisoned_data(folder, 40);
    config.replace(config.find("data: "), config.find('\n', config.find("data: ")) - config.find("data: "),
                   "data: {type: edm-zip, root: data.zip}");
  }
  write_text(folder.path() / "config.yaml", config);
  const fs::path run = folder.path() / "runs/small";
  std::string healthy;
  if (given.begun) {
    REQUIRE(edmund_run(folder.path(), "train config.yaml").code == 0);
    healthy = "runs/small/checkpoints/000000000096";
  }
  const Outcome stopped =
      edmund_run(folder.path(), "train " + (given.begun ? "--from " + healthy : std::string("config.yaml")) +
                                    " training.images=640 training.samples_every=0 " + given.overrides);
  INFO(stopped.output);
  REQUIRE(stopped.code == 2);
  CHECK(error_lines(stopped.output) == 1);
  CHECK(contains(stopped.output, given.told));
  CHECK((given.of_weights || contains(stopped.output, "sigma ")));

  // the healthy state is there, and is named
  const auto found = newest_healthy_checkpoint(run);
  if (given.begun || given.poisoned) REQUIRE(found.has_value());
  if (found) {
    CHECK(nonfinite_tensor(load_checkpoint(*found)).empty());
    CHECK(contains(stopped.output,
                   "the last healthy checkpoint is runs/small/checkpoints/" + found->filename().string() + ";"));
  } else {
    CHECK(contains(stopped.output, "there is no healthy checkpoint yet"));
  }
  std::error_code none;  // where the first checkpoint was refused
  for (const auto& entry : fs::directory_iterator(run / "checkpoints", none)) {
    INFO(entry.path());
    CHECK(nonfinite_tensor(load_checkpoint(entry.path())).empty());  // nothing else is ever saved
  }

  // the batch
  if (!given.of_weights) {
    const std::string file = behind(stopped.output, "the batch that it began with: ");
    const TensorFile batch = read_tensors(folder.path() / file.substr(0, file.find(';')));
    for (const char* name : {"images", "labels", "sigma", "positions", "loss", "image"})
      CHECK(batch.tensors.contains(name));
    if (given.poisoned) CHECK(contains(file, "no finite loss: image 40 of the data (position "));
    const Outcome replayed =
        edmund_run(folder.path(), arguments_of(behind(stopped.output, "the weights before it make of this batch: ")));
    INFO(replayed.output);
    CHECK(replayed.code == 0);
    CHECK(contains(replayed.output,
                   given.poisoned ? "1 of 16 images have no finite loss" : "0 of 16 images have no finite loss"));
  }

  // the way on
  const std::int64_t from = found ? read_header(*found).images : 0;
  const Outcome on = edmund_run(folder.path(), arguments_of(behind(stopped.output, "go on with other settings by: ")));
  INFO(on.output);
  REQUIRE(on.code == 0);
  const Checkpoint last = load_checkpoint(checkpoint_folder(run, 640));
  CHECK(nonfinite_tensor(last).empty());
  CHECK(last.fault.empty());
  CHECK(last.steps >= 25);
  const json branches = json::parse(std::ifstream(run / "branches.json"));
  CHECK(branches.size() == (given.begun ? 2 : 1));
  CHECK(branches.back()["from_images"] == from);
  CHECK(edmund_run(folder.path(), "sample runs/small --images 2").code == 0);
  // and the run is as any other
  const Outcome again = edmund_run(folder.path(), "train runs/small training.images=672");
  INFO(again.output);
  CHECK(again.code == 0);
}

TEST_CASE("weights that are not finite are refused by every command, in one line that names the way out",
          "[commands]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  REQUIRE(edmund_run(folder.path(), "train config.yaml").code == 0);
  const fs::path run = folder.path() / "runs/small", newest = checkpoint_folder(run, 96);
  Checkpoint checkpoint = load_checkpoint(newest);
  std::string poisoned;  // a weight of the classes
  for (NamedTensors* tensors : {&checkpoint.network, &checkpoint.ema})
    for (auto& [name, tensor] : *tensors)
      if (name == poisoned || (poisoned.empty() && name.find("label") != name.npos)) {
        tensor.view(-1)[0] = std::numeric_limits<float>::quiet_NaN();
        poisoned = name;
      }
  REQUIRE_FALSE(poisoned.empty());
  save_checkpoint(newest, checkpoint);
  at::Tensor z = at::zeros({1, 1, 8, 8});
  folder.write("z.safetensors", tensor_bytes({{"z", z}, {"sigma", at::ones({1})}}));

  const std::string command =
      GENERATE("sample runs/small --images 1", "sample runs/small --images 1 --raw",
               "sample runs/small/checkpoints/000000000096 --images 1", "evaluate runs/small evaluation.images=4",
               "likelihood runs/small --images 1", "denoise runs/small --in z.safetensors --out d.safetensors",
               "optimize-grid runs/small --steps 3 --out grid.yaml", "train runs/small training.images=128",
               "train config.yaml training.images=128",
               "train --from runs/small/checkpoints/000000000096 training.learning_rate=1e-4",
               "train config.yaml --run other training.init=runs/small",
               "sample runs/small --images 1 sampling.guidance.weight=2 sampling.guidance.model=runs/small");
  INFO(command);
  const Outcome refused = edmund_run(folder.path(), command);
  INFO(refused.output);
  CHECK(refused.code == 2);
  CHECK(error_lines(refused.output) == 1);
  CHECK(contains(refused.output, poisoned + " holds values that are not finite"));
  CHECK(contains(refused.output, "checkpoints/000000000064"));
  CHECK(fs::exists(newest / "state.json"));  // nothing was moved

  // the way out
  CHECK(edmund_run(folder.path(), "train --from runs/small").code == 0);
  CHECK(load_checkpoint(newest).fault.empty());
}

TEST_CASE("a branch keeps what was trained past it, and is known to whoever goes on", "[commands]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  REQUIRE(edmund_run(folder.path(), "train config.yaml training.keep_checkpoints=0").code == 0);
  const fs::path run = folder.path() / "runs/small";
  const auto original = load_checkpoint(checkpoint_folder(run, 96));
  // without a change it is the training that it was
  REQUIRE(edmund_run(folder.path(), "train --from runs/small/checkpoints/000000000032/").code == 0);
  const auto again = load_checkpoint(checkpoint_folder(run, 96));
  for (std::size_t i = 0; i < original.network.size(); ++i)
    CHECK(again.network[i].second.equal(original.network[i].second));
  CHECK(fs::exists(run / "branches/1/checkpoints/000000000096/state.json"));
  CHECK(fs::exists(run / "branches/1/checkpoints/000000000064/state.json"));
  CHECK(fs::exists(run / "branches/1/metrics.jsonl"));
  CHECK(fs::exists(checkpoint_folder(run, 32)));

  // The settings may come first, and a run may be named beside its checkpoint.
  const Outcome other =
      edmund_run(folder.path(), "train training.learning_rate=1e-4 --from runs/small/checkpoints/000000000064");
  INFO(other.output);
  REQUIRE(other.code == 0);
  CHECK(contains(other.output, "training.learning_rate (0.001 there, 1e-04 here)"));
  const json branches = json::parse(std::ifstream(run / "branches.json"));
  CHECK(branches[1] == json{{"from_images", 64},
                            {"aside", "branches/2"},
                            {"changed", {{"training.learning_rate", {{"before", "0.001"}, {"after", "1e-04"}}}}}});
  const json page = json(std::string(std::istreambuf_iterator<char>(std::ifstream(run / "report.html").rdbuf()), {}));
  CHECK(contains(page.get<std::string>(), "other settings"));
  // as if the branch had just begun: the checkpoint has the settings before it
  fs::remove_all(checkpoint_folder(run, 96));
  const Outcome on = edmund_run(folder.path(), "train runs/small");
  INFO(on.output);
  CHECK(on.code == 0);
  CHECK(contains(on.output, "going on from runs/small/checkpoints/000000000064"));
  const Outcome refused = edmund_run(folder.path(), "train runs/small training.learning_rate=1e-3");
  CHECK(refused.code == 2);
  CHECK(contains(refused.output, "holds another training: training.learning_rate (1e-04 there, 0.001 here)"));

  const auto said = [&](const std::string& arguments) {
    const Outcome outcome = edmund_run(folder.path(), "train " + arguments);
    INFO(arguments << "\n" << outcome.output);
    CHECK(outcome.code == 2);
    CHECK(error_lines(outcome.output) == 1);
    return outcome.output;
  };
  CHECK(contains(said("--from runs/small network.channels=16"), "a run keeps its network"));
  CHECK(contains(said("--from runs/small training.ema_tracks=[0.1]"), "it belongs to another config"));
  CHECK(contains(said("--from nowhere"), "--from: expected a checkpoint, a run or start"));
  CHECK(contains(said("--from start"), "--from start: expected the folder of a run"));
  CHECK(contains(said("config.yaml --from start"), "--from start: expected the folder of a run"));
  CHECK(contains(said("config.yaml --from runs/small"), "is of the run runs/small, not of 'config.yaml'"));
  CHECK(contains(said("--from runs/small --run other"), "--run does not go with --from"));
  CHECK(contains(said("runs/small --replay x"), "--replay: expected --from"));
  CHECK(contains(said("--from runs/small --replay x.safetensors"), "x.safetensors"));
  CHECK(contains(said(""), "expected CONFIG.yaml or RUN"));
  CHECK(load_checkpoint(checkpoint_folder(run, 96)).images == 96);  // nothing was moved

  REQUIRE(edmund_run(folder.path(), "train runs/small --from start training.learning_rate=2e-3").code == 0);
  CHECK(json::parse(std::ifstream(run / "branches.json")).back()["from_images"] == 0);
  CHECK(fs::exists(run / "branches/3/checkpoints/000000000096"));
}

}  // namespace
}  // namespace edmund::testing
