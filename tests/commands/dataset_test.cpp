#include "edmund/core/files.h"
#include "edmund/core/format.h"
#include "edmund/io/image_io.h"
#include "edmund/io/npy_array.h"
#include "support/catch.h"
#include "support/file_formats.h"
#include "support/process.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

namespace edmund::testing {
namespace {

using Catch::Matchers::ContainsSubstring;
using nlohmann::json;

// What `edmund dataset` prints as JSON, without the warnings around it.
json found_in(const TemporaryFolder& folder, const std::string& arguments, int code = 0) {
  const Outcome outcome = edmund_run(folder.path(), "dataset " + arguments + " --json --quiet");
  INFO(arguments << "\n" << outcome.output);
  REQUIRE(outcome.code == code);
  // the object alone: warnings may stand on both sides
  const std::size_t begin = outcome.output.find("{\n");
  REQUIRE(begin != std::string::npos);
  std::size_t end = begin;
  for (int depth = 0; end < outcome.output.size(); ++end) {
    depth += outcome.output[end] == '{' ? 1 : outcome.output[end] == '}' ? -1 : 0;
    if (depth == 0) break;
  }
  return json::parse(outcome.output.substr(begin, end + 1 - begin));
}

}  // namespace

TEST_CASE("dataset build packs any source into one archive, with the numbers of its classes", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  const Outcome built = edmund_run(folder.path(), "dataset build config.yaml --out packed/set.zip");
  INFO(built.output);
  REQUIRE(built.code == 0);
  CHECK_THAT(built.output, ContainsSubstring("packed/set.zip: 200 images of 8x8, 1 channels"));
  const json before = found_in(folder, "check config.yaml"), after = found_in(folder, "check packed/set.zip");
  CHECK(after["images"] == 200);
  for (const char* key : {"mean", "std", "channel_mean"}) CHECK(after[key] == before[key]);
  CHECK(after["classes"][1]["images"] == 100);
  const Outcome again = edmund_run(folder.path(), "dataset build config.yaml --out packed/set.zip");
  CHECK(again.code == 2);
  CHECK_THAT(again.output, ContainsSubstring("is there already"));
  const Outcome smaller =
      edmund_run(folder.path(), "dataset build packed/set.zip --out 4.zip --resolution 4x4 --transform center-crop");
  CHECK_THAT(smaller.output, ContainsSubstring("4.zip: 200 images of 4x4, 3 channels"));
  // trains as the source does
  CHECK(edmund_run(folder.path(), "train config.yaml 'data={type: edm-zip, root: packed/set.zip}' --dry-run").code ==
        0);
}

TEST_CASE("dataset check finds what would spoil a training, and says what one would refuse", "[app]") {
  const TemporaryFolder folder;
  const auto png = [](std::int64_t number, std::int64_t side = 8) { return png_bytes(picture(3, side, side, number)); };
  for (int i = 0; i < 6; ++i) folder.write(format("set/{}/{}.png", i % 2, i), png(i));
  folder.write("set/1/again.png", png(0));
  json found = found_in(folder, "check set");
  CHECK(found["images"] == 7);
  CHECK(found["damaged"].empty());
  REQUIRE(found["duplicates"].size() == 1);
  CHECK_THAT(found["duplicates"][0][0].get<std::string>(), ContainsSubstring("1/again.png"));
  CHECK(found["classes"][0]["images"] == 3);
  CHECK_THAT(found["warnings"][0].get<std::string>(), ContainsSubstring("1 of 7 images repeat earlier ones"));

  folder.write("set/0/large.png", png(9, 16));
  found = found_in(folder, "check set", 2);
  CHECK(found["sizes"]["8x8, 3 channels"] == 7);
  CHECK(found["sizes"]["16x16, 3 channels"] == 1);
  CHECK(found_in(folder, "check set data.size=8 data.resize=area")["images"] == 8);

  folder.write("set/0/broken.png", png(10).substr(0, 60));
  found = found_in(folder, "check set data.size=8 data.resize=area", 2);
  REQUIRE(found["damaged"].size() == 1);
  CHECK_THAT(found["damaged"][0].get<std::string>(), ContainsSubstring("broken.png"));
  CHECK(found_in(folder, "check set data.size=8 data.resize=area data.damaged=skip")["images"] == 8);

  const Outcome lines = edmund_run(folder.path(), "dataset check set data.size=8 data.resize=area");
  CHECK(lines.code == 2);
  CHECK_THAT(lines.output, ContainsSubstring("2 classes, of 4 ('1') to 5 images ('0')"));
  CHECK_THAT(lines.output, ContainsSubstring("1 cannot be read:"));
  CHECK_THAT(lines.output, ContainsSubstring("in another class"));
}

TEST_CASE("dataset check compares sigma_data with the images, as train does", "[app]") {
  const TemporaryFolder folder;
  write_idx_data(folder.path());
  write_text(folder.path() / "config.yaml", small_config());
  // images of the example repeat
  CHECK(found_in(folder, "check config.yaml")["warnings"].size() <= 1);
  const json far = found_in(folder, "check config.yaml preconditioning.sigma_data=0.1");
  CHECK(far["sigma_data"] == 0.1);
  CHECK_THAT(far["warnings"].back().get<std::string>(), ContainsSubstring("preconditioning.sigma_data is 0.1"));
  const Outcome trained = edmund_run(folder.path(), "train config.yaml preconditioning.sigma_data=0.1");
  CHECK(trained.code == 0);
  CHECK_THAT(trained.output, ContainsSubstring(far["warnings"].back().get<std::string>()));
}

TEST_CASE("dataset stats are mean and standard deviation by channel", "[app]") {
  const TemporaryFolder folder;
  Tensor image = at::zeros({3, 2, 2}, at::kByte);
  image[0].fill_(255), image[1][0].fill_(255);
  folder.write("set/a.png", png_bytes(image));
  const json found = found_in(folder, "stats set");
  CHECK(found["channel_mean"] == json({1.0, 0.0, -1.0}));
  CHECK(found["channel_std"] == json({0.0, 1.0, 0.0}));
  CHECK(found["shape"] == json({3, 2, 2}));
  const Outcome lines = edmund_run(folder.path(), "dataset stats set");
  CHECK_THAT(lines.output, ContainsSubstring("channel 1: mean 0, std 1; in [0, 1]: 0.5, 0.5"));
}

TEST_CASE("a model of latents trains, draws and keeps its values", "[app]") {
  const TemporaryFolder folder;
  write_text(folder.path() / "config.yaml", small_config());
  Files files;
  for (int i = 0; i < 40; ++i) {
    const Tensor values = (at::arange(256) * 7 + i * 13).remainder(29).to(at::kFloat) / 14 - 1;
    files.emplace_back(format("00000/img000000{}{}.npy", i / 10, i % 10), npy_bytes(values.view({4, 8, 8})));
  }
  folder.write("latents.zip", zip_bytes(folder, files));
  const std::string data = " 'data={type: edm-zip, root: latents.zip}'";
  const Outcome trained = edmund_run(folder.path(), "train config.yaml --run runs/l" + data);
  INFO(trained.output);
  REQUIRE(trained.code == 0);
  const Outcome drawn = edmund_run(folder.path(), "sample runs/l --images 4 --out drawn --raw-out values.npz");
  INFO(drawn.output);
  REQUIRE(drawn.code == 0);
  CHECK(read_image(folder.path() / "drawn/000000.png").size(0) == 3);
  const Outcome warned = edmund_run(folder.path(), "sample runs/l --images 4 --out other");
  CHECK_THAT(warned.output, ContainsSubstring("--raw-out keeps all"));
  CHECK(edmund_run(folder.path(), "sample runs/l --images 4 --out third --npz x.npz").code == 2);
  const Outcome scored = edmund_run(folder.path(), "evaluate runs/l evaluation.images=4");
  CHECK(scored.code == 2);
  CHECK_THAT(scored.output, ContainsSubstring("real numbers"));
}

}  // namespace edmund::testing
