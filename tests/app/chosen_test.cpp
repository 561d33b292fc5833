// What a run stores is what its config says; all else is looked up for what is sampled on.
#include "edmund/app/config.h"
#include "edmund/app/run.h"
#include "edmund/core/files.h"
#include "edmund/studies/compare.h"
#include "edmund/training/checkpoint.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/process.h"

#include <algorithm>
#include <map>

namespace edmund::testing {
namespace {

const std::string kPlain = "{image: {channels: 1, height: 8, width: 8}, training: {images: 100}, sampling: {";
const std::string kClocks[] = {
    "schedule: {type: edm}, grid: {type: karras, steps: 4}, sampler: {type: heun}}}",
    "schedule: {type: vp}, grid: {type: karras, steps: 4}, sampler: {type: heun}}}",
};

Options read(const std::string& config, const std::vector<std::string>& overrides = {}) {
  return Options::read_text(config, "test", overrides);
}

// The resolved `sampling` of a config, or the mistakes without their places.
std::string sampling_of(const std::string& config, const std::vector<std::string>& overrides) {
  try {
    Options options = construct(parse(read(config, overrides)), Needs::kSettings).config.options;
    std::string out;
    for (const auto& [key, value] : Options::read_text(options.resolved(), "resolved").flattened())
      if (key.starts_with("sampling.")) out += format("{}: {}\n", key, value);
    return out;
  } catch (const Error& error) {
    std::string text = error.what();
    return text.substr(text.find(": sampling") == std::string::npos ? 0 : text.find(": sampling"));
  }
}

// What a training of this config stores.
std::string stored(const std::string& config) {
  return construct(parse(read(config)), Needs::kSettings).config.options.chosen();
}

std::vector<std::vector<std::string>> choices() {
  std::vector<std::vector<std::string>> out;
  for (const auto& schedule : schedule_table()) {
    for (const auto& grid : grid_table())
      out.push_back({format("sampling.schedule.type={}", schedule.name), format("sampling.grid.type={}", grid.name)});
    out.push_back({format("sampling.schedule.type={}", schedule.name)});
  }
  for (const auto& sampler : sampler_table()) out.push_back({format("sampling.sampler.type={}", sampler.name)});
  return out;
}

TEST_CASE("overrides of types do the same on a run as on its config, on every clock", "[app]") {
  for (const std::string& clock : kClocks) {
    const std::string run = stored(kPlain + clock);
    CHECK(stored(run) == run);
    for (const auto& overrides : choices()) {
      INFO(clock << " " << overrides.front() << " " << overrides.back());
      CHECK(sampling_of(run, overrides) == sampling_of(kPlain + clock, overrides));
    }
  }
}

TEST_CASE("sampling that is wholly overridden is the same on runs of different clocks", "[app]") {
  const std::string a = stored(kPlain + kClocks[0]), b = stored(kPlain + kClocks[1]);
  for (const auto& schedule : schedule_table())
    for (const auto& grid : grid_table()) {
      const std::vector<std::string> overrides = {format("sampling.schedule.type={}", schedule.name),
                                                  format("sampling.grid.type={}", grid.name)};
      INFO(schedule.name << " " << grid.name);
      CHECK(sampling_of(a, overrides) == sampling_of(b, overrides));
    }
}

TEST_CASE("variants of a comparison do the same on every run, whatever clock it was trained on", "[app]") {
  std::vector<Experiment> runs;
  for (const std::string& clock : kClocks)
    runs.push_back(construct(parse(read(stored(kPlain + clock))), Needs::kSettings));
  const auto levels = [](const Experiment& run, const std::string& variant, std::int64_t steps) -> std::string {
    Options sampling = read(variant);
    try {
      const Sampling made = variant_sampling(sampling, steps, run, sampling_text(run));
      sampling.finish();
      std::string out = made.name;
      for (const double t : made.grid.t) out += format(" {}", t);
      return out;
    } catch (const Error& error) {
      return "refused";
    }
  };
  for (const auto& schedule : schedule_table())
    for (const auto& grid : grid_table())
      for (const std::int64_t steps : {0, 7}) {
        const std::string variant = format("{schedule: {type: {}}, grid: {type: {}}}", schedule.name, grid.name);
        INFO(variant);
        const std::string made = levels(runs[0], variant, steps);
        CHECK(made == levels(runs[1], variant, steps));
        const bool is_list = grid.name == "file" || grid.name == "explicit" || grid.name == "native";
        // schedules that cannot be without a key or a range
        const bool is_whole = schedule.name != "table" && schedule.name != "formula" && schedule.name != "ddpm";
        if (!is_list && is_whole) CHECK(made != "refused");
        if (!is_list && made != "refused" && steps == 0)
          CHECK(made.find(" 4 steps") != std::string::npos);  // the runs' own number
      }
}

TEST_CASE("a grid of another type keeps the chosen number of steps, and says what it drops", "[app]") {
  const std::string config =
      kPlain + "schedule: {type: edm}, grid: {type: karras, steps: 4, rho: 5}, sampler: {type: heun}}}";
  for (const std::string type : {"uniform", "quadratic", "log_snr", "edm_vp", "edm_ve", "edm_iddpm", "flow_shift"}) {
    const Experiment made = construct(parse(read(config, {"sampling.grid.type=" + type})), Needs::kSettings);
    CHECK(made.sampling.grid.t.size() == 4);
    REQUIRE(made.config.options.notes().size() == 1);
    CHECK(made.config.options.notes()[0] ==
          format("sampling.grid: another type, {}, so steps: 4 is kept and rho: 5 is dropped", type));
  }
  CHECK(construct(parse(read(config, {"sampling.grid={type: log_snr, steps: 9}"})), Needs::kSettings)
            .sampling.grid.t.size() == 9);
  CHECK(construct(parse(read(config, {"sampling.grid={type: explicit, sigmas: [80, 1]}"})), Needs::kSettings)
            .sampling.grid.t.size() == 2);
}

TEST_CASE("a run stores its choices, and its training goes on only with the same values", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  REQUIRE(edmund_run(folder.path(), "train config.yaml").code == 0);
  const RunFolder run{folder.path() / "runs/small"};
  const std::string chosen = read_file(run.config()), resolved = read_file(run.resolved());
  CHECK(chosen.find("rho") == std::string::npos);
  CHECK(chosen.find("sigma_min") == std::string::npos);
  CHECK(chosen.find("image:") == std::string::npos);
  CHECK(resolved.find("rho: 7") != std::string::npos);
  CHECK(resolved.find("height: 8") != std::string::npos);
  const auto newest = run.path / "checkpoints/000000000096";
  CHECK(read_header(newest).config == chosen);
  CHECK(resolved.find(read_header(newest).resolved) != std::string::npos);

  // from anywhere: paths are absolute
  std::filesystem::create_directories(folder.path() / "else");
  CHECK(edmund_run(folder.path() / "else", "evaluate ../runs/small evaluation.images=40").code == 0);
  // values that are written out are no other training; other values are, whoever chose them
  CHECK(edmund_run(folder.path(), "train config.yaml preconditioning.type=edm network.type=unet seed=0").code == 0);
  const Outcome other = edmund_run(folder.path(), "train config.yaml seed=1 network.channels=16");
  CHECK(other.code == 2);
  CHECK(other.output.find("seed (0 there, 1 here)") != std::string::npos);
  CHECK(other.output.find("network.channels (8 there, 16 here)") != std::string::npos);

  // A run is older than a key that came later: its default is what was done then.
  Checkpoint older = load_checkpoint(newest);
  const std::string line = "  stratified: true\n";
  REQUIRE(older.resolved.find(line) != std::string::npos);
  older.resolved.erase(older.resolved.find(line), line.size());
  save_checkpoint(newest, older);
  CHECK(edmund_run(folder.path(), "train config.yaml training.stratified=true").code == 0);
  const Outcome younger = edmund_run(folder.path(), "train config.yaml training.stratified=false");
  CHECK(younger.output.find("training.stratified (none there, false here)") != std::string::npos);

  // Version 0.1.0 stored all values as if they had been chosen.
  Checkpoint checkpoint = load_checkpoint(newest);
  checkpoint.config = checkpoint.resolved;
  checkpoint.resolved.clear();
  save_checkpoint(newest, checkpoint);
  write_file(run.config(), checkpoint.config);
  std::filesystem::remove(run.resolved());
  for (const char* command :
       {"sample runs/small --images 2", "sample runs/small --images 2 sampling.schedule.type=vp",
        "sample runs/small --images 2 sampling.schedule.type=ddpm", "train config.yaml training.images=112",
        "train runs/small", "evaluate runs/small evaluation.images=40", "inspect runs/small"}) {
    const Outcome outcome = edmund_run(folder.path(), command);
    INFO(command << "\n" << outcome.output);
    CHECK(outcome.code == 0);
  }
}

TEST_CASE("a data folder that lies in the working folder alone is one mistake, and nothing of it is read", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  std::filesystem::create_directories(folder.path() / "configs");
  write_text(folder.path() / "configs/config.yaml", small_config());
  const Outcome outcome = edmund_run(folder.path(), "train configs/config.yaml");
  INFO(outcome.output);
  CHECK(outcome.code == 2);
  for (const std::string file : {"images", "labels"})
    CHECK(outcome.output.find(format("data.{}: no {}", file, (folder.path() / "configs" / file).string())) !=
          std::string::npos);
  CHECK(std::count(outcome.output.begin(), outcome.output.end(), '\n') == 2);
  CHECK(edmund_run(folder.path(), "config configs/config.yaml data.images=images.idx data.labels=labels.idx").code ==
        0);
}

TEST_CASE("runs of two clocks sample on any other, and name what was filled in", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  const auto bytes = [&](const std::string& file) { return read_file(folder.path() / file); };
  for (const std::string schedule : {"edm", "vp"})
    REQUIRE(edmund_run(folder.path(),
                       "train config.yaml training.images=32 --run " + schedule + " sampling.schedule.type=" + schedule)
                .code == 0);
  for (const std::string run : {"edm", "vp"})
    for (const std::string schedule : {"edm", "vp", "ve", "cosine", "flow", "ddpm"}) {
      const Outcome outcome = edmund_run(
          folder.path(), "sample " + run + " --images 2 --out " + run + "-" + schedule +
                             " sampling.sampler.type=ddim sampling.grid.steps=5 sampling.schedule.type=" + schedule);
      INFO(outcome.output);
      CHECK(outcome.code == 0);
    }
  // the default of karras on edm, whatever the run's own clock reached
  REQUIRE(edmund_run(folder.path(), "sample vp --images 1 --out a --raw-out a.npz sampling.schedule.type=edm").code ==
          0);
  REQUIRE(edmund_run(
              folder.path(),
              "sample vp --images 1 --out b --raw-out b.npz sampling.schedule.type=edm sampling.grid.sigma_min=0.002")
              .code == 0);
  CHECK(bytes("a.npz") == bytes("b.npz"));
  const Outcome inspected = edmund_run(folder.path(), "inspect vp");
  CHECK(inspected.output.find("sampling.grid.sigma_min: 0.0104") != std::string::npos);
  CHECK(bytes("vp/report.html").find("What was filled in") != std::string::npos);
}

}  // namespace
}  // namespace edmund::testing
