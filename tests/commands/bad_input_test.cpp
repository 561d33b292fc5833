#include "support/catch.h"
#include "support/process.h"

#include <algorithm>
#include <future>
#include <string>
#include <vector>

namespace edmund::testing {
namespace {

struct BadInput {
  std::string what;  // of the mistake
  // line(s) that replace the small config's line of the same key, or are added to it
  std::string config;
  std::string arguments;  // default: train config.yaml
  std::vector<std::string> says;
};

std::string replaced(std::string config, const std::string& lines) {
  if (lines.empty()) return config;
  const std::string key = lines.substr(0, lines.find(':') + 1);
  const std::size_t at = config.find(key);
  if (at == std::string::npos) return config + lines + "\n";
  std::size_t end = config.find('\n', at) + 1;
  while (end < config.size() && config[end] == ' ') end = config.find('\n', end) + 1;
  return config.replace(at, end - at, lines + "\n");
}

const std::vector<BadInput>& bad_inputs() {
  static const std::vector<BadInput> list = {
      // Config: keys
      {"misspelt section", "trainig: {images: 3}", "", {"config.yaml:10:", "trainig", "did you mean 'training'"}},
      {"misspelt key",
       "network: {type: unet, chanels: 8}",
       "",
       {"config.yaml:3:", "chanels", "did you mean 'channels'"}},
      {"misspelt nested key", "sampling: {grid: {type: karras, stpes: 4}}", "", {"stpes", "did you mean 'steps'"}},
      {"option of another plugin", "sampling: {sampler: {type: ddim, S_churn: 4}}", "", {"S_churn"}},
      {"duplicate key", "seed: 1\nseed: 2", "", {"seed", "config.yaml:11:"}},
      // Config: types and ranges
      {"text for a number",
       "training: {images: many, batch_size: 16}",
       "",
       {"config.yaml:5:", "training.images", "integer", "many"}},
      {"fraction for an integer", "training: {images: 96, batch_size: 1.5}", "", {"batch_size", "integer", "1.5"}},
      {"negative size", "training: {images: 96, batch_size: -4}", "", {"batch_size", "-4"}},
      {"zero length", "training: {images: 0, batch_size: 16}", "", {"images", "above 0"}},
      {"probability above one", "network: {type: unet, channels: 8, dropout: 1.5}", "", {"dropout", "1.5"}},
      {"list for a number", "seed: [1, 2]", "", {"seed", "integer"}},
      {"number for a mapping", "network: 3", "", {"network"}},
      {"not a truth value", "training: {images: 96, batch_size: 16, flip: sometimes}", "", {"flip", "sometimes"}},
      {"negative noise level", "sampling: {grid: {type: karras, sigma_min: -1}}", "", {"sigma_min", "-1"}},
      {"absurd channel count", "network: {type: unet, channels: 1e12}", "", {"channels"}},
      {"no such device", "device: gpu", "", {"config.yaml:10:", "device", "expected auto, cpu, cuda or cuda:N", "gpu"}},
      {"unknown precision", "precision: fp8", "", {"config.yaml:10:", "precision", "fp8"}},
      // Config: names
      {"unknown sampler",
       "sampling: {sampler: {type: huen}}",
       "",
       {"sampling.sampler.type", "huen", "did you mean 'heun'"}},
      {"unknown schedule", "sampling: {schedule: vpp}", "", {"sampling.schedule", "vpp", "did you mean 'vp'"}},
      {"unknown network", "network: {type: transformer}", "", {"network.type", "transformer"}},
      {"unknown metric",
       "evaluation: {images: 16, metrics: [frechet, kdi]}",
       "",
       {"evaluation.metrics", "kdi", "did you mean 'kid'"}},
      {"unknown data set", "data: {type: imagenet}", "", {"config.yaml:2:", "imagenet", "cifar10"}},
      {"unknown preconditioning", "preconditioning: {type: edn}", "", {"preconditioning.type", "did you mean 'edm'"}},
      {"grid file that is not there", "sampling: {grid: {type: file, file: no-grid.yaml}}", "", {"no-grid.yaml"}},
      {"grid file that is none", "sampling: {grid: {type: file, file: list.yaml}}", "", {"list.yaml"}},
      // Config: what does not go together
      {"final step without a clean time",
       "sampling: {schedule: {type: ve, clock: geometric}, sampler: {type: heun, final: euler}}",
       "",
       {"sampler", "final"}},
      {"eps at zero terminal SNR",
       "preconditioning: {type: eps}",
       "train config.yaml 'sampling={schedule: {type: ddpm, zero_terminal_snr: true}, grid: {type: native, steps: 4, "
       "spacing: trailing}}'",
       {"zero terminal SNR"}},
      {"size that the network cannot halve",
       "network: {type: unet, channels: 8, multipliers: [1, 1, 1, 1, 1]}",
       "",
       {"network", "8"}},
      {"image shape unlike the data", "image: {channels: 3, height: 8, width: 8}", "", {"image", "1x8x8"}},
      // Config: the file
      {"broken YAML", "seed: [1, 2", "", {"config.yaml:"}},
      {"missing config", "", "train nowhere.yaml", {"nowhere.yaml"}},
      {"missing base", "base: nowhere.yaml", "", {"nowhere.yaml"}},
      {"circular base", "base: config.yaml", "", {"config.yaml"}},
      {"top level is a list", "", "train list.yaml", {"list.yaml"}},
      {"override without value", "", "train config.yaml training.images", {"training.images", "="}},
      {"override of an unknown key", "", "train config.yaml training.imags=3", {"imags", "did you mean 'images'"}},
      {"override of a wrong type", "", "train config.yaml training.images=many", {"training.images", "many"}},
      // Data
      {"missing data", "data: {type: idx, images: nowhere.idx, labels: labels.idx}", "", {"nowhere.idx"}},
      {"truncated IDX", "data: {type: idx, images: short.idx, labels: labels.idx}", "", {"short.idx"}},
      {"absurd IDX size", "data: {type: idx, images: huge.idx, labels: labels.idx}", "", {"huge.idx"}},
      {"labels for images", "data: {type: idx, images: labels.idx, labels: labels.idx}", "", {"labels.idx"}},
      {"text for a PNG", "data: {type: folder, root: fakes}", "", {"a.png"}},
      {"damaged zip", "data: {type: edm-zip, root: bad.zip}", "", {"bad.zip"}},
      {"empty folder", "data: {type: folder, root: empty}", "", {"empty"}},
      // Command line
      {"unknown command", "", "trian config.yaml", {"trian", "did you mean 'train'"}},
      {"unknown flag", "", "train config.yaml --rnu x", {"--rnu", "did you mean '--run'"}},
      {"missing argument", "", "train", {"expected CONFIG.yaml or RUN"}},
      {"flag without value", "", "train config.yaml --run", {"--run"}},
      {"no steps to optimize", "", "optimize-grid empty", {"--steps"}},
      {"optimizing from nowhere", "", "optimize-grid nowhere --steps 8", {"nowhere"}},
      {"absurd threads", "", "matrix --threads -3", {"--threads"}},
      {"negative seed",
       "",
       "sample nowhere --seed -3",
       {"--seed: expected an integer from 0 to 9223372036854775807, found '-3'"}},
      {"huge seed", "", "sample nowhere --seed 18446744073709551615", {"--seed", "9223372036854775807"}},
      {"seed of a likelihood", "", "likelihood nowhere --seed -1", {"--seed: expected an integer from 0"}},
      {"number in another form", "", "sample nowhere --images 1e3", {"--images: expected an integer from 1", "'1e3'"}},
      {"image numbers in another form",
       "",
       "sample nowhere --numbers 0-1e3",
       {"--numbers: expected an integer", "'1e3'"}},
      {"grid sizes in another form", "", "sample nowhere --invert x --steps 8,1e2", {"--steps: expected an", "'1e2'"}},
      {"ends in another form", "", "sample nowhere --interpolate 0,1e1", {"--interpolate: expected an", "'1e1'"}},
      {"a shard in another form", "", "compare x.yaml --shard 1/1e1", {"--shard: expected an integer", "'1e1'"}},
      {"a shard of none", "", "ablate x.yaml --shard 3", {"--shard: expected I/N with 1 <= I <= N, found '3'"}},
      {"a shard beyond the last", "", "ablate x.yaml --shard 3/2", {"--shard: expected an integer from 1 to 2"}},
      {"a folder without its root",
       "data: {type: folder}",
       "",
       {"config.yaml:2:", "data: `root` is missing; it gives a folder of images"}},
      {"text behind a number",
       "",
       "optimize-grid nowhere --steps 4x",
       {"--steps: expected an integer from 1 to 100", "'4x'"}},
      {"negative seed of a config", "seed: -1", "", {"config.yaml:10:", "seed", "at least 0"}},
      {"name of the folder above", "name: ..", "", {"config.yaml:1:", "name: expected a name, found '..'"}},
      {"name with a line's end", "name: \"a\\nb\"", "", {"config.yaml:1:", "name", "control characters"}},
      {"name that is too long", "name: " + std::string(201, 'x'), "", {"config.yaml:1:", "at most 200 bytes"}},
      {"name that is no UTF-8",
       "",
       "evaluate nowhere --name \"$(printf 'caf\\351')\"",
       {"--name: expected text in UTF-8"}},
      {"no folder", "", "sample nowhere --out ''", {"--out: expected a value, found none"}},
      {"a file for a folder", "", "matrix --out config.yaml", {"--out: expected a folder, but config.yaml is a file"}},
      {"a picture for a folder", "", "matrix --out x.png", {"--out: expected the name of a folder", "x.png"}},
      {"a folder for a file", "", "grid config.yaml --out empty", {"--out: expected a file, but empty is a folder"}},
      {"a file below a file", "", "stats config.yaml --out config.yaml/x.npz", {"--out: config.yaml is not a folder"}},
      {"a picture for a run", "", "train config.yaml --run x.png", {"--run: expected the name of a folder"}},
      {"sampling from nowhere", "", "sample nowhere", {"nowhere"}},
      {"sampling from an empty folder", "", "sample empty", {"empty", "checkpoint"}},
      {"statistics into another kind of file", "", "stats config.yaml --out ref.txt", {"ref.txt", ".npz"}},
      {"statistics with a misspelt key",
       "evaluation: {features: {type: pca, dimz: 3}}",
       "stats config.yaml --out ref.npz",
       {"dimz", "did you mean 'dims'"}},
      {"unknown family", "", "list samlpers", {"samlpers", "did you mean 'samplers'"}},
      {"hostile safetensors", "", "inspect hostile.safetensors", {"hostile.safetensors"}},
      {"truncated safetensors", "", "inspect short.safetensors", {"short.safetensors"}},
  };
  return list;
}

void write_inputs(const std::filesystem::path& folder) {
  write_idx_data(folder);
  write_text(folder / "list.yaml", "- 1\n- 2\n");
  write_text(folder / "short.idx", std::string("\0\0\x08\x03\0\0\0\x14\0\0\0\x08\0\0\0\x08\x01\x02", 18));
  write_text(folder / "huge.idx", std::string("\0\0\x08\x03\x7f\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff\xff", 16));
  write_text(folder / "bad.zip", "PK\x03\x04 and nothing more");
  write_text(folder / "hostile.safetensors", std::string("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10));
  write_text(folder / "short.safetensors", std::string("\x40\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\"", 27));
  std::filesystem::create_directories(folder / "empty");
  std::filesystem::create_directories(folder / "fakes" / "zero");
  write_text(folder / "fakes" / "zero" / "a.png", "this is no picture");
}

std::vector<std::string> files_below(const std::filesystem::path& folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

TEST_CASE("bad input gives one clear error, exit code 2, and writes nothing", "[app]") {
  REQUIRE(bad_inputs().size() >= 40);
  struct Run {
    Outcome outcome;
    std::vector<std::string> before, after;
  };
  // Two processes at a time: most of each is its start.
  std::vector<Run> runs(bad_inputs().size());
  const auto every_second = [&](std::size_t first) {
    for (std::size_t i = first; i < runs.size(); i += 2) {
      const BadInput& input = bad_inputs()[i];
      const TemporaryFolder folder;
      write_inputs(folder.path());
      write_text(folder.path() / "config.yaml", replaced(small_config(), input.config));
      runs[i].before = files_below(folder.path());
      runs[i].outcome = edmund_run(folder.path(), input.arguments.empty() ? "train config.yaml" : input.arguments);
      runs[i].after = files_below(folder.path());
    }
  };
  auto others = std::async(std::launch::async, every_second, 1);
  every_second(0);
  others.get();
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto& [outcome, before, after] = runs[i];
    INFO(bad_inputs()[i].what << "\n" << outcome.output);
    CHECK(outcome.code == 2);
    CHECK(outcome.output.starts_with("error: "));
    CHECK(std::count(outcome.output.begin(), outcome.output.end(), '\n') == 1);
    for (const auto& part : bad_inputs()[i].says) CHECK(outcome.output.find(part) != std::string::npos);
    CHECK(after == before);
  }
}

TEST_CASE("all mistakes of a config are reported together, in order of place", "[app]") {
  const TemporaryFolder folder;
  write_inputs(folder.path());
  write_text(folder.path() / "config.yaml",
             replaced(replaced(small_config(), "training: {images: many, batch_size: -1}"),
                      "sampling: {grid: {stpes: 3}, sampler: {type: huen}}"));
  const Outcome outcome = edmund_run(folder.path(), "train config.yaml");
  INFO(outcome.output);
  CHECK(outcome.code == 2);
  std::size_t at = 0;
  for (const std::string part : {"training.images", "training.batch_size", "stpes", "huen"}) {
    const std::size_t found = outcome.output.find(part);
    CHECK(found != std::string::npos);
    CHECK(found >= at);
    at = found;
  }
}

}  // namespace
}  // namespace edmund::testing
