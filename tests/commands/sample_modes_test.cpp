// The modes of `edmund sample` and `edmund likelihood` on a small trained run.
#include "edmund/core/format.h"
#include "edmund/io/image_io.h"
#include "support/catch.h"
#include "support/process.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

namespace edmund::testing {
namespace {

using nlohmann::json;

// A run trained for a moment on two classes of 8x8 images.
const TemporaryFolder& trained() {
  static const TemporaryFolder folder;
  static const bool done = [] {
    write_idx_data(folder.path());
    write_text(folder.path() / "config.yaml", small_config());
    return edmund_run(folder.path(),
                      "train config.yaml evaluation.held_out.type=idx "
                      "evaluation.held_out.images=images.idx evaluation.held_out.labels=labels.idx")
               .code == 0;
  }();
  REQUIRE(done);
  return folder;
}

json facts_of(const std::string& arguments) {
  const Outcome outcome = edmund_run(trained().path(), arguments + " --json --quiet");
  INFO(outcome.output);
  REQUIRE(outcome.code == 0);
  return json::parse(outcome.output);
}

void check_refused(const std::string& arguments, const std::string& part) {
  const Outcome outcome = edmund_run(trained().path(), arguments);
  INFO(arguments << "\n" << outcome.output);
  CHECK(outcome.code == 2);
  CHECK(outcome.output.find(part) != std::string::npos);
  CHECK(std::count(outcome.output.begin(), outcome.output.end(), '\n') == 1);
}

}  // namespace

TEST_CASE("interpolation ends at the images that its numbers draw", "[app][slow]") {
  const auto at = [](const std::string& file) { return read_image(trained().path() / file); };
  for (const std::string sampler : {"heun", "ancestral"}) {
    const std::string type = " sampling.sampler.type=" + sampler;
    REQUIRE(
        edmund_run(trained().path(), "sample runs/small --numbers 2,5 --class 1 --out plain-" + sampler + type).code ==
        0);
    const json facts = facts_of("sample runs/small --interpolate 2,5,4 --class 1 sampling.batch_size=3 --out between-" +
                                sampler + type);
    CHECK(facts["images"] == 4);
    CHECK(at("between-" + sampler + "/000000.png").equal(at("plain-" + sampler + "/000002.png")));
    CHECK(at("between-" + sampler + "/000003.png").equal(at("plain-" + sampler + "/000005.png")));
    CHECK_FALSE(at("between-" + sampler + "/000001.png").equal(at("plain-" + sampler + "/000002.png")));
  }
  check_refused("sample runs/small --interpolate 2", "--interpolate");
  check_refused("sample runs/small --interpolate 2,x", "--interpolate");
  check_refused("sample runs/small --interpolate 2,5 --images 4", "--images");
}

TEST_CASE("options of which one would be without effect are refused together", "[app]") {
  check_refused("sample runs/small --images 10 --numbers 0-3", "--images");
  check_refused("sample runs/small --invert made --numbers 0-3", "--numbers");
  check_refused("likelihood runs/small --images 1 --exact --probes 4", "--exact");
  for (const char* option : {"--gif", "--noise z.safetensors", "--npz all.npz", "--raw-out all.npz"})
    check_refused(format("sample runs/small --interpolate 2,5 {}", option), "--interpolate");
}

TEST_CASE("what sample wrote can be read as a folder of images, and a preset replaces how the run samples", "[app]") {
  const json facts =
      facts_of("sample runs/small --images 4 --out made sampling.preset=ddim-paper sampling.grid.steps=10");
  CHECK(facts["evaluations_per_image"] == 10);  // the run's own heun has 7
  CHECK(facts_of("sample runs/small --invert made --class 1 --steps 4 --out again")["round_trips"].size() == 1);
}

TEST_CASE("inversion reports a round trip that gets better with steps", "[app][slow]") {
  REQUIRE(edmund_run(trained().path(), "sample runs/small --images 3 --class 1 --out some").code == 0);
  std::filesystem::remove(trained().path() / "some/sheet.png");
  std::filesystem::remove(trained().path() / "some/samples.json");
  const json facts = facts_of("sample runs/small --invert some --class 1 --steps 8,32 --out back sampling.clip=[-1,1]");
  REQUIRE(facts["round_trips"].size() == 2);
  const double coarse = facts["round_trips"][0]["rms_error"], fine = facts["round_trips"][1]["rms_error"];
  CHECK(fine < coarse / 4);  // Heun: 16 times in theory
  CHECK(facts["round_trips"][1]["evaluations_both_ways"] == 4 * 31);
  CHECK(facts["cut"].get<std::string>().starts_with("none"));
  CHECK(facts["images"] == 3);
  CHECK(std::filesystem::exists(trained().path() / "back/latents.safetensors"));
  const Tensor before = read_image(trained().path() / "some/000001.png").to(at::kDouble),
               after = read_image(trained().path() / "back/000001.png").to(at::kDouble);
  CHECK((before - after).square().mean().sqrt().item<double>() < 127.5 * fine * 3 + 1);

  check_refused("sample runs/small --invert some", "--class");
  for (const char* label : {"-1", "7", "1.5", "9223372036854775808"})
    check_refused(std::string("sample runs/small --images 1 --class ") + label, "--class");
  check_refused("sample runs/small --invert some --class 1 sampling.sampler.type=ancestral", "draws noise");
  check_refused("sample runs/small --invert nowhere --class 1", "nowhere");
  check_refused("sample runs/small --invert some --class 1 --interpolate 1,2", "--in");
}

TEST_CASE("inpainting keeps what is known and draws the rest anew for each number", "[app][slow]") {
  const auto folder = trained().path();
  REQUIRE(edmund_run(folder, "sample runs/small --numbers 1 --class 1 --out known").code == 0);
  const Tensor image = read_image(folder / "known/000001.png");
  Tensor mask = at::zeros({1, 8, 8}, at::kByte);
  mask.narrow(2, 4, 4).fill_(255);
  write_png(folder / "mask.png", mask);
  const json facts = facts_of(
      "sample runs/small --inpaint known/000001.png --mask mask.png --images 2 --class 1 --resamples 3 --out painted");
  CHECK(facts["evaluations_per_image"] == 3 * 3 + 1);
  CHECK(facts["painted_share"] == 0.5);
  const Tensor first = read_image(folder / "painted/000000.png"), second = read_image(folder / "painted/000001.png");
  for (const Tensor& painted : {first, second}) CHECK(painted.narrow(2, 0, 4).equal(image.narrow(2, 0, 4)));
  CHECK(!first.narrow(2, 4, 4).equal(second.narrow(2, 4, 4)));

  write_png(folder / "black.png", at::zeros({1, 8, 8}, at::kByte));
  write_png(folder / "large.png", at::zeros({1, 9, 8}, at::kByte));
  check_refused("sample runs/small --inpaint known/000001.png", "--mask");
  check_refused("sample runs/small --inpaint known/000001.png --mask black.png", "nothing to paint");
  check_refused("sample runs/small --inpaint known/000001.png --mask large.png", "9x8");
  check_refused("sample runs/small --inpaint large.png --mask mask.png", "1x9x8");
  check_refused("sample runs/small --inpaint known/000001.png --mask mask.png --resamples 0", "--resamples");
}

TEST_CASE("likelihood gives bits that do not depend on the batch, with their errors and their kind", "[app][slow]") {
  const std::string base = "likelihood runs/small --images 4 --probes 2 ";
  const json fixed = facts_of(base + "sampling.grid.steps=12 sampling.batch_size=4"),
             single = facts_of(base + "sampling.grid.steps=12 sampling.batch_size=1"),
             adaptive = facts_of(base + "--tolerance 1e-4"),
             exact = facts_of("likelihood runs/small --images 2 --exact"),
             density = facts_of(base + "--density --probe gaussian --train");
  REQUIRE(fixed["bits_of_image"].size() == 4);
  for (int i = 0; i < 4; ++i)  // float32 networks in another batch
    CHECK(std::abs(fixed["bits_of_image"][i].get<double>() - single["bits_of_image"][i].get<double>()) < 1e-3);
  CHECK(fixed["evaluations_per_image"] == 2 * 11);
  CHECK(fixed["gradients_per_evaluation"] == 2);
  CHECK(fixed["error_over_probes"].get<double>() > 0);
  CHECK(fixed["kind"].get<std::string>().find("uniformly dequantized") != std::string::npos);
  CHECK(adaptive["solver"].get<std::string>().find("rk45") != std::string::npos);
  CHECK(exact["gradients_per_evaluation"] == 64);
  CHECK(exact["error_over_probes"] == 0.0);
  CHECK(density["kind"].get<std::string>().find("not dequantized") != std::string::npos);
  CHECK(facts_of("likelihood runs/small --images 1")["error_over_images"].is_null());

  check_refused("likelihood runs/small --probes 0", "--probes");
  check_refused("likelihood runs/small --probe cauchy", "--probe");
  check_refused("likelihood runs/small evaluation.held_out=null", "--train");
}

}  // namespace edmund::testing
