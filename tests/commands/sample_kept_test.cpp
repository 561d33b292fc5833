// What `edmund sample` keeps as it draws, and what it refuses to mix.
#include "edmund/core/format.h"
#include "edmund/diffusion/noise_source.h"
#include "edmund/io/image_io.h"
#include "edmund/io/npz.h"
#include "edmund/io/tensor_file.h"
#include "edmund/ops/pixels.h"
#include "support/catch.h"
#include "support/process.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <map>
#include <nlohmann/json.hpp>

namespace edmund::testing {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

std::string bytes(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// A run trained for a moment on two classes of 8x8 images.
const fs::path& trained() {
  static const TemporaryFolder folder;
  static const bool done = [] {
    write_idx_data(folder.path());
    write_text(folder.path() / "config.yaml", small_config());
    return edmund_run(folder.path(), "train config.yaml sampling.batch_size=4").code == 0;
  }();
  REQUIRE(done);
  return folder.path();
}

Outcome sample(const std::string& arguments) { return edmund_run(trained(), "sample runs/small " + arguments); }

void check_drawn(const std::string& arguments) {
  const Outcome outcome = sample(arguments);
  INFO(arguments << "\n" << outcome.output);
  REQUIRE(outcome.code == 0);
}

// Everything in a folder but what a clock says.
std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> out;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::string text = bytes(entry.path());
    if (entry.path().extension() == ".json") {
      json facts = json::parse(text);
      for (const char* key : {"images_per_second", "folder"}) facts.erase(key);
      text = facts.dump();
    }
    out[entry.path().filename().string()] = text;
  }
  return out;
}

TEST_CASE("pictures that are there are left, and those that are not are drawn as ever", "[app]") {
  check_drawn("--images 18 --out whole sampling.sampler.type=ancestral");
  const auto whole = contents(trained() / "whole");
  CHECK(whole.size() == 18 + 2);
  CHECK(json::parse(whole.at("samples.json"))["finished"] == true);
  for (const std::int64_t gone : {0, 5, 17}) {
    fs::remove_all(trained() / "part");
    fs::copy(trained() / "whole", trained() / "part");
    for (const char* file : {"sheet.png", "samples.json"}) fs::remove(trained() / "part" / file);
    check_drawn("--images 1 --out begun sampling.sampler.type=ancestral");
    fs::copy(trained() / "begun/samples.json", trained() / "part/samples.json");
    json manifest = json::parse(bytes(trained() / "part/samples.json"));
    manifest["numbers"] = "0-17";  // as it stood before the first batch
    write_text(trained() / "part/samples.json", manifest.dump());
    const std::string name = format("0000{}{}.png", gone / 10, gone % 10);
    fs::remove(trained() / "part" / name);
    const auto before = fs::last_write_time(trained() / "part/000008.png");
    check_drawn("--images 18 --out part sampling.sampler.type=ancestral");
    CHECK(contents(trained() / "part") == whole);
    CHECK(fs::last_write_time(trained() / "part/000008.png") == before);
    fs::remove_all(trained() / "begun");
  }
}

TEST_CASE("numbers may be added to a drawing", "[app]") {
  check_drawn("--images 10 --out all");
  check_drawn("--numbers 0-5 --out pieces");
  check_drawn("--numbers 6-9 --out pieces");
  CHECK(json::parse(bytes(trained() / "pieces/samples.json"))["numbers"] == "0-9");
  for (int i = 0; i < 10; ++i)
    CHECK(bytes(trained() / format("all/00000{}.png", i)) == bytes(trained() / format("pieces/00000{}.png", i)));
}

TEST_CASE("a number given twice is refused by name", "[app]") {
  const Outcome outcome = sample("--numbers 0-3,2 --out twice");
  CHECK(outcome.code == 2);
  CHECK(outcome.output.find("--numbers: expected each number once, found 2 twice") != std::string::npos);
}

TEST_CASE("pictures of another drawing are neither mixed nor lost", "[app]") {
  check_drawn("--images 5 --out mine");
  const auto mine = contents(trained() / "mine");
  for (const std::string other : {"--seed 3", "--raw", "--class 1", "sampling.grid.steps=5"}) {
    const Outcome refused = sample("--images 5 --out mine " + other);
    INFO(other << "\n" << refused.output);
    CHECK(refused.code == 2);
    CHECK(refused.output.find("5 pictures of another drawing") != std::string::npos);
    CHECK(refused.output.find("--overwrite") != std::string::npos);
    CHECK(contents(trained() / "mine") == mine);
  }
  // Our own pictures are replaced when asked for; others are not ours to delete.
  check_drawn("--images 2 --out mine --seed 3 --overwrite");
  CHECK(contents(trained() / "mine").size() == 2 + 2);
  write_text(trained() / "mine/holiday.jpg", "a picture");
  for (const std::string flags : {"--seed 3", "--seed 4 --overwrite"}) {
    const Outcome refused = sample("--images 2 --out mine " + flags);
    CHECK(refused.code == 2);
    CHECK(refused.output.find("--out") != std::string::npos);
  }
  CHECK(bytes(trained() / "mine/holiday.jpg") == "a picture");

  // Without --out each drawing has a folder of its own.
  check_drawn("--images 2");
  check_drawn("--images 2 --seed 9");
  check_drawn("--images 2 --seed 9");
  std::int64_t folders = 0;
  for (const auto& entry : fs::directory_iterator(trained() / "runs/small"))
    folders += entry.path().filename().string().starts_with("samples") ? 1 : 0;
  CHECK(folders == 2);
  CHECK(sample("--images 2 --out x.png").code == 2);
  CHECK_FALSE(fs::exists(trained() / "x.png"));
}

TEST_CASE("values before rounding, starting noise and a GIF", "[app]") {
  check_drawn("--images 6 --out rounded --raw-out v.safetensors --gif sampling.sampler.type=ancestral");
  const Tensor values = read_tensors(trained() / "v.safetensors").at("values");
  CHECK(values.sizes() == at::IntArrayRef({6, 1, 8, 8}));
  CHECK(values.scalar_type() == at::kFloat);
  for (std::int64_t i = 0; i < 6; ++i)
    CHECK(at::equal(to_uint8(values[i]), read_image(trained() / format("rounded/00000{}.png", i))));
  CHECK(bytes(trained() / "rounded/trajectory.gif").starts_with("GIF89a"));
  CHECK_FALSE(fs::exists(trained() / "rounded/.unfinished"));
  check_drawn("--images 6 --out rounded --raw-out v.npz sampling.sampler.type=ancestral");
  CHECK(at::equal(NpzFile(trained() / "v.npz").array("values"), values));
  CHECK(sample("--images 6 --out rounded --raw-out v.txt").code == 2);

  // The noise that a number has anyway, then the same as rows of a file: the same pictures.
  const Tensor noise = PhiloxNoise(0, {0, 1, 2}, at::kDouble, at::kCPU).normal({1, 8, 8});
  write_text(trained() / "noise.safetensors", tensor_bytes({{"latents", noise}}));
  check_drawn("--out noise --noise noise.safetensors sampling.sampler.type=ancestral");
  for (int i = 0; i < 3; ++i)
    CHECK(at::equal(read_image(trained() / format("noise/00000{}.png", i)),
                    read_image(trained() / format("rounded/00000{}.png", i))));
  CHECK_FALSE(fs::exists(trained() / "noise/000003.png"));
  const Outcome beyond = sample("--images 4 --out noise4 --noise noise.safetensors");
  CHECK(beyond.code == 2);
  CHECK(beyond.output.find("3 rows") != std::string::npos);
  write_text(trained() / "noise.safetensors", tensor_bytes({{"latents", noise.transpose(1, 2).unsqueeze(0)}}));
  CHECK(sample("--out noise5 --noise noise.safetensors").output.find("[N, 1, 8, 8]") != std::string::npos);
}

TEST_CASE("a dry run of sample or train checks everything and writes nothing", "[app]") {
  CHECK(sample("--images 2 --out dry --dry-run").code == 0);
  CHECK(sample("--images 2 --out dry --dry-run sampling.sampler.type=nothing").code == 2);
  CHECK_FALSE(fs::exists(trained() / "dry"));
  CHECK(edmund_run(trained(), "train config.yaml --run dry --dry-run").code == 0);
  CHECK(edmund_run(trained(), "train config.yaml --run dry --dry-run network.channels=0").code == 2);
  CHECK_FALSE(fs::exists(trained() / "dry"));
}

TEST_CASE("a class is a name or a number of the model's", "[app]") {
  const Outcome beyond = sample("--images 1 --out classes --class 2");
  CHECK(beyond.code == 2);
  CHECK(beyond.output.find("2 classes, 0 to 1; found 2") != std::string::npos);
  CHECK(sample("--images 1 --out classes --class -1").code == 2);
  const Outcome unknown = sample("--images 1 --out classes --class cat");
  CHECK(unknown.code == 2);
  CHECK(unknown.output.find("no class 'cat'") != std::string::npos);
}

}  // namespace
}  // namespace edmund::testing
