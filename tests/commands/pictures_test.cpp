// What `edmund sample` writes for other programs, and what its pictures say of themselves.
#include "edmund/core/files.h"
#include "edmund/core/format.h"
#include "edmund/io/image_io.h"
#include "edmund/io/npz.h"
#include "edmund/io/png_text.h"
#include "support/catch.h"
#include "support/process.h"

#include <ATen/ATen.h>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

namespace edmund::testing {
namespace {

using Catch::Matchers::ContainsSubstring;
using nlohmann::json;
namespace fs = std::filesystem;

// A run trained for a moment on two classes of 8x8 images.
const fs::path& trained() {
  static const TemporaryFolder folder;
  static const bool done = [] {
    write_idx_data(folder.path());
    write_text(folder.path() / "config.yaml", small_config());
    return edmund_run(folder.path(), "train config.yaml").code == 0;
  }();
  REQUIRE(done);
  return folder.path();
}

Outcome run(const std::string& arguments) { return edmund_run(trained(), arguments); }

void done(const std::string& arguments) {
  const Outcome outcome = run(arguments);
  INFO(arguments << "\n" << outcome.output);
  REQUIRE(outcome.code == 0);
}

std::map<std::string, std::string> texts(const std::string& file) {
  const auto found = texts_of(read_file(trained() / file), file);
  return {found.begin(), found.end()};
}

}  // namespace

TEST_CASE("a picture says how it was drawn, and inspect prints it", "[app]") {
  done("sample runs/small --images 3 --seed 5 --out told sampling.sampler.type=euler");
  const auto found = texts("told/000002.png");
  CHECK(found.at("edmund:mode") == "samples");
  CHECK(found.at("edmund:run") == "small");
  CHECK(found.at("edmund:seed") == "5");
  CHECK(found.at("edmund:number") == "2");
  CHECK(found.at("edmund:weights") == "ema");
  CHECK(found.at("edmund:trained_images") == "96");
  CHECK((found.at("edmund:class") == "0" || found.at("edmund:class") == "1"));
  CHECK_THAT(found.at("edmund:sampling"), ContainsSubstring("euler"));
  CHECK(found.at("edmund:identity") == texts("told/000000.png").at("edmund:identity"));
  const json facts = json::parse(run("inspect told/000002.png --json").output);
  CHECK(facts["texts"]["edmund:seed"] == "5");
  CHECK(facts["width"] == 8);
  const Outcome printed = run("inspect told/000002.png");
  CHECK(printed.code == 0);
  CHECK_THAT(printed.output, ContainsSubstring("edmund:number: 2"));
}

TEST_CASE("the same drawing is the same file, wherever the run lies", "[app]") {
  done("sample runs/small --images 2 --out here");
  fs::create_directories(trained() / "elsewhere");
  fs::copy(trained() / "runs/small", trained() / "elsewhere/moved", fs::copy_options::recursive);
  done("sample elsewhere/moved --images 2 --out there");
  for (const std::string name : {"000000.png", "000001.png"})
    CHECK(read_file(trained() / "here" / name) == read_file(trained() / "there" / name));
}

TEST_CASE("--like draws a picture again from what it says", "[app]") {
  done(
      "sample runs/small --numbers 7 --seed 11 --class 1 --raw --out first sampling.sampler=ddim "
      "sampling.grid.steps=6");
  done("sample runs/small --like first/000007.png --out again");
  CHECK(decode_image(read_file(trained() / "first/000007.png"), "a")
            .equal(decode_image(read_file(trained() / "again/000007.png"), "b")));
  // with another sampler if that is asked for, other weights are refused
  done("sample runs/small --like first/000007.png --out other sampling.grid.steps=7");
  const Outcome older = run("sample runs/small/checkpoints/000000000064 --like first/000007.png --out no");
  CHECK(older.code == 2);
  CHECK_THAT(older.output, ContainsSubstring("drawn from other weights"));
  CHECK(run("sample runs/small --like first/000007.png --seed 3 --out no").code == 2);
  CHECK(run("sample runs/small --like first/sheet.png --out no").code == 2);
}

TEST_CASE("--npz holds the pictures' own pixels, as ADM's evaluator reads them", "[app]") {
  done("sample runs/small --images 9 --out nine --npz nine.npz");
  const NpzFile file(trained() / "nine.npz");
  const Tensor images = file.array("arr_0"), labels = file.array("arr_1");
  REQUIRE(images.sizes() == at::IntArrayRef({9, 8, 8, 1}));
  REQUIRE(images.scalar_type() == at::kByte);
  CHECK(labels.sizes() == at::IntArrayRef({9}));
  for (std::int64_t i = 0; i < 9; ++i) {
    const auto name = format("nine/00000{}.png", i);
    CHECK(images[i].permute({2, 0, 1}).equal(read_image(trained() / name)));
    CHECK(texts(name).at("edmund:class") == std::to_string(labels[i].item<std::int64_t>()));
  }
  CHECK(run("sample runs/small --images 2 --out two --npz two.png").code == 2);
}

TEST_CASE("pictures come back as a data set bit for bit, from PNG and from npz", "[app]") {
  done("sample runs/small --images 9 --out round --npz round.npz");
  const auto stats = [&](const std::string& data) {
    const Outcome outcome = run("dataset stats --json " + data);
    REQUIRE(outcome.code == 0);
    return json::parse(outcome.output);
  };
  const json png = stats("round"), npz = stats("round.npz");
  CHECK(png["images"] == 9);
  CHECK(png["mean"] == npz["mean"]);
  CHECK(png["channel_std"] == npz["channel_std"]);
  // and through an archive
  done("dataset build round.npz --out round.zip");
  done("dataset build round --out round_png.zip");
  CHECK(stats("round.zip")["mean"] == npz["mean"]);
}

TEST_CASE("noise levels are printed as diffusers and ComfyUI take them, and read back", "[app]") {
  const auto plain = [&](const std::string& more) { return run("grid runs/small --quiet " + more).output; };
  const std::string own = plain(""), theirs = plain("--form diffusers");
  CHECK(theirs.starts_with("sigmas=["));
  CHECK_THAT(theirs, ContainsSubstring(", 0.0]\n"));
  CHECK(plain("--form comfyui").find("sigmas") == std::string::npos);
  for (const std::string form : {"diffusers", "comfyui"}) {
    write_text(trained() / "levels.txt", plain("--form " + form));
    CHECK(plain("'sampling.grid={type: file, file: levels.txt}'") == own);
  }
  const std::string flow = " sampling.schedule=flow";
  write_text(trained() / "flow.txt", plain("--form comfyui" + flow));
  const std::string back = plain("'sampling.grid={type: file, file: flow.txt, unit: flow}'" + flow);
  std::istringstream before(plain(flow)), after(back);
  for (double a = 0, b = 0; before >> a;) {
    REQUIRE(after >> b);
    CHECK_THAT(b, Catch::Matchers::WithinRel(a, 1e-12));
  }
  const std::string table = " sampling.schedule=ddpm";
  const std::string entries = plain("--form diffusers 'sampling.grid={type: native, steps: 4}'" + table);
  CHECK_THAT(entries, ContainsSubstring("timesteps=[750, 500, 250, 0]"));
  CHECK(plain("'sampling.grid={type: explicit, timesteps: [750, 500, 250, 0]}'" + table) ==
        plain("'sampling.grid={type: native, steps: 4}'" + table));
  CHECK(run("grid runs/small --form comfy").code == 2);
}

}  // namespace edmund::testing
