// Adapters' files: in the layouts of peft, diffusers and kohya, and what is refused.
#include "edmund/app/adapter.h"

#include "edmund/core/files.h"
#include "edmund/io/tensor_file.h"
#include "support/catch.h"
#include "support/errors.h"
#include "support/temporary_folder.h"

#include <ATen/ATen.h>

using namespace edmund;
using testing::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

const Tensor kA = at::arange(6, at::kFloat).reshape({2, 3}), kB = at::arange(8, at::kFloat).reshape({4, 2});

fs::path written(const TemporaryFolder& folder, const NamedTensors& tensors, const std::string& config,
                 const std::map<std::string, std::string>& metadata = {}) {
  const fs::path file = folder.path() / "adapter_model.safetensors";
  write_file(file, tensor_bytes(tensors, metadata));
  fs::remove(folder.path() / "adapter_config.json");
  if (!config.empty()) write_file(folder.path() / "adapter_config.json", config);
  return file;
}

}  // namespace

TEST_CASE("an adapter is read as it was written, from its file, its folder or its run", "[app]") {
  const TemporaryFolder folder;
  const std::vector<LowRank> layers = {
      {.layer = "a.qkv", .A = kA, .B = kB, .scale = 0.75},
      {.layer = "b.conv", .A = at::ones({3, 2, 3, 3}), .B = at::ones({5, 3, 1, 1}), .scale = 2},
      {.layer = "table", .A = at::ones({2, 7}), .B = at::ones({4, 2}), .scale = 0.75, .table = true}};
  write_adapter(folder.path() / "run/adapter", {.file = "", .layers = layers});
  for (const char* path : {"run", "run/adapter", "run/adapter/adapter_model.safetensors"}) {
    const auto found = read_adapter(folder.path() / path).layers;
    REQUIRE(found.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(found[i].layer == layers[i].layer);
      CHECK(found[i].A.equal(layers[i].A));
      CHECK(found[i].B.equal(layers[i].B));
      CHECK(found[i].scale == layers[i].scale);
      CHECK(found[i].table == layers[i].table);
    }
  }
}

TEST_CASE("scales are where each layout keeps them", "[app]") {
  const TemporaryFolder folder;
  const NamedTensors peft = {{"base_model.model.x.to_q.lora_A.weight", kA},
                             {"base_model.model.x.to_q.lora_B.weight", kB}};
  const auto scale = [&](const NamedTensors& tensors, const std::string& config,
                         const std::map<std::string, std::string>& metadata = {}) {
    const auto layers = read_adapter(written(folder, tensors, config, metadata)).layers;
    CHECK(layers.size() == 1);
    CHECK((layers[0].layer == "x.to_q" || layers[0].layer == "x_to_q"));
    return layers[0].scale;
  };
  CHECK(scale(peft, R"({"peft_type": "LORA", "r": 2, "lora_alpha": 8})") == 4.0);
  CHECK_THAT(scale(peft, R"({"r": 2, "lora_alpha": 8, "use_rslora": true})"),
             Catch::Matchers::WithinRel(8 / std::sqrt(2.0), 1e-6));
  CHECK(scale(peft, R"({"r": 4, "lora_alpha": 8, "rank_pattern": {"to_q": 2}, "alpha_pattern": {"to_q": 1}})") == 0.5);
  CHECK(scale(peft, R"({"r": 2, "lora_alpha": 8, "alpha_pattern": {"o_q": 1}})") == 4.0);
  const NamedTensors diffusers = {{"unet.x.to_q.lora_A.weight", kA}, {"unet.x.to_q.lora_B.weight", kB}};
  CHECK(scale(diffusers, "", {{"lora_adapter_metadata", R"({"unet.r": 2, "unet.lora_alpha": 6})"}}) == 3.0);
  CHECK(scale(diffusers, "") == 1.0);
  const NamedTensors kohya = {{"lora_unet_x_to_q.lora_down.weight", kA}, {"lora_unet_x_to_q.lora_up.weight", kB}};
  CHECK(scale(kohya, "") == 1.0);
  NamedTensors with_alpha = kohya;
  with_alpha.emplace_back("lora_unet_x_to_q.alpha", at::full({}, 3.0));
  CHECK(scale(with_alpha, "") == 1.5);
}

TEST_CASE("odd adapters are one clear error each", "[app]") {
  const TemporaryFolder folder;
  const std::string a = "base_model.model.x.lora_A.weight", b = "base_model.model.x.lora_B.weight";
  const NamedTensors good = {{a, kA}, {b, kB}};
  const auto refusal = [&](const NamedTensors& tensors, const std::string& config) {
    const auto file = written(folder, tensors, config);
    return testing::error_of([&] { read_adapter(file); });
  };
  const std::string plain = R"({"r": 2, "lora_alpha": 2})";
  const auto with = [](const std::string& more) { return R"({"r": 2, "lora_alpha": 2, )" + more + "}"; };
  const std::pair<std::string, std::string> cases[] = {
      {testing::error_of([&] { read_adapter(folder.path() / "none"); }), "neither an adapter's file"},
      {refusal({}, plain), "no tensors"},
      {refusal({{a, kA}}, plain), "one factor without the other"},
      {refusal({{a, kA}, {b, kB}, {"base_model.model.x.bias", kA}}, plain), "is no part of a LoRA adapter"},
      {refusal({{a, kA}, {b, kB}, {"base_model.model.x.lora_magnitude_vector", kA}}, plain), "is no part of"},
      {refusal({{a, at::ones({3}, at::kLong)}, {b, kB}}, plain), "expected finite real numbers"},
      {refusal({{a, at::full({2, 3}, NAN)}, {b, kB}}, plain), "expected finite real numbers"},
      {refusal({{a, at::ones({3})}, {b, kB}}, plain), "expected [rank, …]"},
      {refusal({{a, at::ones({0, 3})}, {b, kB}}, plain), "expected [rank, …]"},
      {refusal(good, ""), "adapter_config.json is missing"},
      {refusal(good, "hello"), "is not JSON"},
      {refusal(good, "[1]"), "is no JSON object"},
      {refusal(good, R"({"r": 2})"), "lora_alpha: expected a number, found null"},
      {refusal(good, with(R"("peft_type": "LOKR")")), "peft_type"},
      {refusal(good, with(R"("use_dora": true)")), "use_dora"},
      {refusal(good, with(R"("bias": "all")")), "bias"},
      {refusal(good, with(R"("modules_to_save": ["x"])")), "modules_to_save"},
      {refusal(good, with(R"("alpha_pattern": {".*": 3})")), "a pattern is not applied"},
  };
  for (const auto& [found, expected] : cases) {
    INFO(found);
    CHECK_THAT(found, Catch::Matchers::ContainsSubstring(expected));
    CHECK(found.find('\n') == std::string::npos);
  }
}
