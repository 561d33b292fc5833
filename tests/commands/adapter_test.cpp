// Adapters as a user meets them: trained on a frozen run, added with a strength, merged, compared.
#include "edmund/core/files.h"
#include "edmund/io/tensor_file.h"
#include "support/catch.h"
#include "support/process.h"

#include <ATen/ATen.h>

namespace edmund::testing {
namespace {

namespace fs = std::filesystem;

// Values of four images before rounding.
Tensor drawn(const fs::path& at, const std::string& arguments) {
  const Outcome outcome =
      edmund_run(at, "sample " + arguments + " --images 4 --overwrite --out out --raw-out values.safetensors");
  INFO(arguments << "\n" << outcome.output);
  REQUIRE(outcome.code == 0);
  const Tensor values = read_tensors(at / "values.safetensors").tensors.begin()->second;
  fs::remove_all(at / "out");
  return values;
}

double gap(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace

TEST_CASE("an adapter is trained on a frozen run, added with a strength, merged and compared", "[app]") {
  const TemporaryFolder folder;
  const fs::path& at = folder.path();
  write_idx_data(at);
  write_text(at / "small.yaml", small_config());
  REQUIRE(edmund_run(at, "train small.yaml --run base").code == 0);
  const std::string train = "train small.yaml training.init=base training.learning_rate=0.05 training.images=96 ";
  const Outcome trained =
      edmund_run(at, train + "--run lora 'adapter={type: lora, rank: 2, targets: [qkv, proj, conv0]}'");
  INFO(trained.output);
  REQUIRE(trained.code == 0);
  CHECK(fs::exists(at / "lora/adapter/adapter_config.json"));
  const auto base = read_tensors(at / "base/checkpoints/000000000096/ema.safetensors").tensors;
  const auto both = read_tensors(at / "lora/checkpoints/000000000096/ema.safetensors").tensors;
  for (const auto& [name, tensor] : base) CHECK(both.at(name).equal(tensor));  // frozen
  CHECK(both.size() > base.size());
  CHECK(read_tensors(at / "lora/adapter/adapter_model.safetensors").tensors.size() == both.size() - base.size());

  const Tensor plain = drawn(at, "base"), own = drawn(at, "lora"), whole = drawn(at, "base --adapter lora");
  const double size = own.abs().max().item<double>();
  CHECK(gap(own, plain) > 1e-3 * size);
  CHECK(whole.equal(own));
  CHECK(drawn(at, "base --adapter lora:0").equal(plain));
  CHECK(gap(drawn(at, "base --adapter lora:0.5 --adapter lora/adapter:0.5"), own) <= 1e-4 * size);
  const Outcome merging = edmund_run(at, "merge base merged --adapter lora/adapter/adapter_model.safetensors");
  INFO(merging.output);
  REQUIRE(merging.code == 0);
  CHECK(drawn(at, "merged").equal(own));
  REQUIRE(edmund_run(at, "merge lora merged-own").code == 0);
  CHECK(drawn(at, "merged-own").equal(own));

  write_text(at / "compare.yaml", R"(name: adapters
models: [{name: base, run: base}, {name: half, run: base, adapters: [{file: lora, strength: 0.5}]}]
variants: [{name: heun, sampling: {}}]
images: 8
block: 8
metrics: [frechet]
distance: {images: 0}
)");
  const Outcome compared = edmund_run(at, "compare compare.yaml --out compared");
  INFO(compared.output);
  CHECK(compared.code == 0);
  CHECK(compared.output.find("half") != std::string::npos);

  // a prefix
  REQUIRE(edmund_run(at, train + "--run prefix 'adapter={type: prefix, tokens: 2}'").code == 0);
  const Tensor prefixed = drawn(at, "prefix");
  CHECK(gap(prefixed, plain) > 1e-6 * size);
  CHECK(drawn(at, "base --adapter prefix").equal(prefixed));
  CHECK(drawn(at, "base --adapter prefix:0").equal(plain));

  const std::pair<std::string, std::string> refusals[] = {
      {"train small.yaml --run x 'adapter={type: lora}'", "needs training.init"},
      {"train small.yaml --run x training.init=base 'adapter={type: lora, targets: [qvk]}'", "did you mean 'qkv'"},
      {"train small.yaml --run x training.init=base adapter=lorax", "adapter.type"},
      {"sample base --adapter none.safetensors", "none.safetensors: neither an adapter's file"},
      {"sample base --adapter small.yaml", "small.yaml"},
      {"merge base merged --adapter lora", "holds a run already"},
      {"merge base other", "no adapter to merge"},
      {"merge prefix other", "cannot be merged"},
  };
  for (const auto& [arguments, expected] : refusals) {
    const Outcome outcome = edmund_run(at, arguments + " --quiet");
    INFO(arguments << "\n" << outcome.output);
    CHECK(outcome.code == 2);
    CHECK(outcome.output.find(expected) != std::string::npos);
  }
}

}  // namespace edmund::testing
