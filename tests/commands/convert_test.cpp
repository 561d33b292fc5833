// A model of another project, as a user meets it: convert, inspect, denoise, sample.
#include "edmund/io/tensor_file.h"
#include "support/catch.h"
#include "support/process.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <limits>

namespace edmund::testing {
namespace {

namespace fs = std::filesystem;

// A snapshot of NVlabs/edm and what its own code answers, of the project's own reference files.
fs::path snapshot() { return fs::path(EDMUND_TEST_FOLDER) / "golden/checkpoints/network-snapshot-000123.pkl"; }
fs::path numbers() { return fs::path(EDMUND_TEST_FOLDER) / "golden/checkpoint_edm_songunet_ddpmpp_vp_io.safetensors"; }

bool says(const Outcome& outcome, std::string_view part) { return outcome.output.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a snapshot of NVlabs/edm becomes a run that samples at once", "[app]") {
  const TemporaryFolder folder;
  const Outcome converted = edmund_run(folder.path(), "convert '" + snapshot().string() + "' vp");
  INFO(converted.output);
  REQUIRE(converted.code == 0);
  CHECK(says(converted, "VPPrecond around SongUNet"));
  CHECK(fs::exists(folder.path() / "vp/checkpoints/000000123000"));

  const TensorFile given = read_tensors(numbers());
  write_text(folder.path() / "in.safetensors", tensor_bytes({{"z", given.at("io.x")},
                                                             {"sigma", given.at("io.sigma")},
                                                             {"labels", given.at("io.class_labels")},
                                                             {"augment", given.at("io.augment_labels")},
                                                             {"z.0.5", given.at("io.x")}}));
  const Outcome denoised = edmund_run(folder.path(), "denoise vp --in in.safetensors --out D.safetensors");
  INFO(denoised.output);
  REQUIRE(denoised.code == 0);
  const TensorFile answer = read_tensors(folder.path() / "D.safetensors");
  const Tensor& expected = given.at("out.augment");
  CHECK((answer.at("D") - expected).abs().max().item<double>() < 1e-4 * expected.abs().max().item<double>());
  CHECK(answer.at("D.0.5").sizes() == given.at("io.x").sizes());

  const Outcome sampled = edmund_run(folder.path(), "sample vp --images 2 --out pictures");
  INFO(sampled.output);
  CHECK(sampled.code == 0);
  CHECK(fs::exists(folder.path() / "pictures/000001.png"));
  CHECK(edmund_run(folder.path(), "inspect vp").code == 0);
  CHECK(edmund_run(folder.path(), "grid vp").code == 0);
}

TEST_CASE("a folder of diffusers becomes a run that samples, and goes back bit for bit", "[app]") {
  const TemporaryFolder folder;
  const fs::path& at = folder.path();
  const fs::path given = fs::path(EDMUND_TEST_FOLDER) / "golden/diffusers/class_embedding";
  const Outcome converted = edmund_run(at, "convert '" + given.string() + "' run");
  INFO(converted.output);
  REQUIRE(converted.code == 0);
  CHECK(says(converted, "UNet2DModel"));
  const Outcome shown = edmund_run(at, "inspect run");
  INFO(shown.output);
  CHECK(says(shown, "down 0: 16×8×8, 1 residual blocks; then halved by a convolution"));
  CHECK(says(shown, "up 1: 16×8×8, 2 residual blocks"));
  const Outcome sampled = edmund_run(at, "sample run --images 2 --out pictures sampling.grid.steps=5");
  INFO(sampled.output);
  CHECK(sampled.code == 0);

  const Outcome back = edmund_run(at, "convert run folder --to diffusers");
  INFO(back.output);
  REQUIRE(back.code == 0);
  const TensorFile before = read_tensors(given / "unet/diffusion_pytorch_model.safetensors"),
                   after = read_tensors(at / "folder/unet/diffusion_pytorch_model.safetensors");
  REQUIRE(before.tensors.size() == after.tensors.size());
  for (const auto& [name, tensor] : before.tensors) CHECK(after.at(name).equal(tensor));
  REQUIRE(edmund_run(at, "convert folder again").code == 0);
  const std::pair<std::string, std::string> refused[] = {
      {"convert run folder --to diffusers", "is not empty"},
      {"convert run other --to diffuser", "did you mean 'diffusers'"},
      {"convert run other --to diffusers --from edm", "--from"},
      {"convert '" + given.string() + "' other --raw", "--raw"},
      {"convert '" + snapshot().string() + "' vp", ""},
      {"convert vp other --to diffusers", "'unet' has no counterpart in diffusers"},
  };
  for (const auto& [arguments, expected] : refused) {
    const Outcome outcome = edmund_run(at, arguments + " --quiet");
    INFO(arguments << "\n" << outcome.output);
    CHECK(outcome.code == (expected.empty() ? 0 : 2));
    CHECK(says(outcome, expected));
  }
}

TEST_CASE("weights that do not tell their settings become a run with what is stated", "[app]") {
  const TemporaryFolder folder;
  const fs::path weights = fs::path(EDMUND_TEST_FOLDER) / "golden/checkpoints/guided_new_order_class.pt";
  const std::string convert = "convert '" + weights.string() + "' run --from guided_diffusion image_size=8 ";
  const Outcome asked = edmund_run(folder.path(), convert);
  CHECK(asked.code == 2);
  CHECK(says(asked, "num_head_channels=C"));
  const Outcome converted = edmund_run(folder.path(), convert +
                                                          "num_head_channels=16 noise_schedule=linear "
                                                          "use_new_attention_order=true");
  INFO(converted.output);
  REQUIRE(converted.code == 0);
  CHECK(says(converted, "as published: diffusion_steps 1000"));

  // Shares of classes in place of a class, one network's answer to which is that of the class.
  const auto sampled = [&](const std::string& out, const std::string& more) {
    const Outcome outcome = edmund_run(folder.path(), "sample run --images 1 --class 2 --raw-out " + out + " --out " +
                                                          out + "-p sampling.grid.steps=3 " + more);
    INFO(outcome.output);
    REQUIRE(outcome.code == 0);
    return read_tensors(folder.path() / out).tensors.begin()->second;
  };
  const Tensor of_class = sampled("a.safetensors", ""),
               of_shares = sampled("b.safetensors", "'sampling.labels=[0, 0, 1, 0, 0]'"),
               of_others = sampled("c.safetensors", "'sampling.labels=[1, 0, 0, 0, 0]'");
  CHECK(of_shares.equal(of_class));
  CHECK_FALSE(of_others.equal(of_class));
  CHECK(says(edmund_run(folder.path(), "sample run --images 1 --out d 'sampling.labels=[1]'"),
             "1 numbers for a model of 5 classes"));

  const Tensor z = at::zeros({2, 3, 8, 8});
  write_text(folder.path() / "in.safetensors",
             tensor_bytes({{"z.1", z}, {"labels", at::eye(5).narrow(0, 0, 2).contiguous()}, {"noise", z}}));
  const Outcome denoised = edmund_run(folder.path(), "denoise run --in in.safetensors --out D.safetensors");
  INFO(denoised.output);
  CHECK(denoised.code == 0);
  CHECK(says(denoised, "not used: 'noise'"));
  write_text(folder.path() / "in.safetensors", tensor_bytes({{"z.1", z}, {"label", z}}));
  CHECK(
      says(edmund_run(folder.path(), "denoise run --in in.safetensors --out D.safetensors"), "did you mean 'labels'"));
}

TEST_CASE("what cannot be converted or denoised is refused in one line", "[app]") {
  const TemporaryFolder folder;
  const fs::path& at = folder.path();
  write_text(at / "text.pkl", "hello");
  write_text(at / "code.pkl", std::string("\x80\x04") + "cos\nsystem\n\x8c\x04true\x85R.");
  write_text(at / "number.pkl", "\x80\x04K\x01.");
  fs::create_directories(at / "run/checkpoints");
  REQUIRE(edmund_run(at, "convert '" + snapshot().string() + "' vp").code == 0);
  const Tensor image = at::zeros({1, 3, 16, 16});
  write_text(at / "empty.safetensors", tensor_bytes({}));
  write_text(at / "small.safetensors", tensor_bytes({{"z.1", at::zeros({1, 3, 8, 8})}}));
  write_text(at / "none.safetensors", tensor_bytes({{"z", image}}));
  write_text(at / "class.safetensors", tensor_bytes({{"z.1", image}, {"labels", at::full({1}, 11, at::kLong)}}));
  write_text(at / "word.safetensors", tensor_bytes({{"z.big", image}}));
  const Tensor endless = at::full_like(image, std::numeric_limits<double>::infinity());
  write_text(at / "nan.safetensors", tensor_bytes({{"z", image / 0}, {"sigma", at::ones({1})}}));
  write_text(at / "inf.safetensors", tensor_bytes({{"z.1", endless}}));
  const std::pair<std::string, std::string> cases[] = {
      {"convert missing.pkl out", "missing.pkl: no such file"},
      {"convert text.pkl out", "text.pkl: neither a pickle"},
      {"convert code.pkl out", "'os.system'"},
      {"convert number.pkl out", "no model of a kind"},
      {"convert number.pkl out --from emd", "did you mean 'edm'"},
      {"convert number.pkl run", "holds a run already"},
      {"denoise vp --in empty.safetensors --out D.safetensors", "no tensor z"},
      {"denoise vp --in small.safetensors --out D.safetensors", "[B, 3, 16, 16]"},
      {"denoise vp --in none.safetensors --out D.safetensors", "'sigma'"},
      {"denoise vp --in class.safetensors --out D.safetensors", "labels: expected 0 to 9"},
      {"denoise vp --in nan.safetensors --out D.safetensors", "nan.safetensors: z: holds values that are not finite"},
      {"denoise vp --in inf.safetensors --out D.safetensors", "inf.safetensors: z.1: holds values that are not finite"},
      {"denoise vp --in word.safetensors --out D.safetensors", "'z.big'"},
  };
  for (const auto& [arguments, expected] : cases) {
    const Outcome outcome = edmund_run(at, arguments + " --quiet");
    INFO(arguments << "\n" << outcome.output);
    CHECK(outcome.code == 2);
    CHECK(says(outcome, expected));
    CHECK(std::ranges::count(outcome.output, '\n') == 1);
  }
  CHECK_FALSE(fs::exists(at / "out"));
  CHECK_FALSE(fs::exists(at / "D.safetensors"));
}

}  // namespace edmund::testing
