// Adapters of peft on networks of diffusers, in every layout of their files: outputs at several
// strengths, merged weights, gradients of both factors.
#include "edmund/app/adapter.h"
#include "edmund/app/config.h"
#include "edmund/checkpoints/diffusers.h"
#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/kernels.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <nlohmann/json.hpp>

using namespace edmund;
using testing::Golden;
namespace fs = std::filesystem;

namespace {

struct Tolerances {
  double out, merged, gradient;
};

Tolerances tolerances_of(const Golden& golden) {
  const std::string text = golden.about().at("tolerance");
  return {.out = testing::number_in(text, R"(outputs max\|diff\|/max\|ref\| <= ([0-9.e-]+))"),
          .merged = testing::number_in(text, R"(merged weights rel ([0-9.e-]+))"),
          .gradient = testing::number_in(text, R"(gradients ([0-9.e-]+))")};
}

std::string time_embedding_of(const fs::path& base) {
  const fs::path config = fs::exists(base / "unet") ? base / "unet/config.json" : base / "config.json";
  return nlohmann::json::parse(read_file(config)).value("time_embedding_type", "positional");
}

// The network of a folder in one precision.
class Base {
 public:
  Base(Golden& golden, fs::path folder, at::ScalarType dtype)
      : golden_(golden),
        folder_(std::move(folder)),
        dtype_(dtype),
        model_(read_foreign(folder_)),
        experiment_(construct(parse(Options::read_text(model_.config, "settings")), Needs::kModel)),
        fourier_(time_embedding_of(folder_) == "fourier") {
    network().to(dtype);
    network().eval();
  }

  Network& network() { return experiment_.model.network(); }
  /// The folder's weights by its names.
  std::map<std::string, Tensor> weights() const {
    NamedTensors wide;
    for (const auto& [name, tensor] : model_.weights) wide.emplace_back(name, tensor.to(dtype_));
    return diffusers_tensors(folder_, wide);
  }

  Tensor io(const std::string& name) { return golden_.use("io." + name).to(dtype_); }

  /// Its answer with changes, by the folder's names, added to the weights.
  Tensor answer(const std::map<std::string, Tensor>& changes) {
    NamedTensors state;
    const NamedTensors added = changes.empty() ? NamedTensors() : diffusers_changes(folder_, changes);
    const std::map<std::string, Tensor> by_name(added.begin(), added.end());
    for (const auto& [name, tensor] : model_.weights) {
      const auto found = by_name.find(name);
      state.emplace_back(name, found == by_name.end() ? tensor : tensor.to(dtype_) + found->second.to(dtype_));
    }
    load_state(network(), state, folder_.string());
    const Tensor t = golden_.use("io.timestep").to(fourier_ ? dtype_ : at::kFloat), sample = io("sample");
    const Condition condition{.labels = golden_.has("io.class_labels") ? golden_.use("io.class_labels") : Tensor()};
    const Tensor out = network().forward(fourier_ ? sample * 2 - 1 : sample, fourier_ ? t.log() : t, condition);
    return fourier_ ? out / t.reshape({-1, 1, 1, 1}) : out;
  }

  /// Gradients of the last answer's weighted sum by the folder's weights.
  std::map<std::string, Tensor> gradients(const Tensor& out) {
    network().zero_grad();
    (out * io("grad_w")).sum().backward();
    NamedTensors found;
    for (const auto& item : network().named_parameters()) found.emplace_back(item.key(), item.value().grad());
    for (const auto& item : network().named_buffers()) found.emplace_back(item.key(), at::zeros_like(item.value()));
    return diffusers_tensors(folder_, found);
  }

 private:
  Golden& golden_;
  fs::path folder_;
  at::ScalarType dtype_;
  ForeignModel model_;
  Experiment experiment_;
  bool fourier_;
};

// The layers in the order of the file's `scaling.LAYER`, found by either spelling.
const LowRank& layer_of(const AdapterFile& adapter, const std::string& layer) {
  for (const LowRank& found : adapter.layers)
    if (found.layer == layer || found.layer == underscored(layer)) return found;
  fail("{}: no layer {}", adapter.file, layer);
}

void check_scales_and_merged(Golden& golden, const AdapterFile& adapter, const std::map<std::string, Tensor>& weights,
                             const Tolerances& tolerances) {
  golden.check(adapter.file + ": layers",
               std::ssize(adapter.layers) == golden.settings().at("adapted_layers").get<std::int64_t>());
  const auto changes = adapter_changes(adapter, weights, 1.0);
  for (const auto& name : golden.names("scaling.")) {
    const std::string layer = name.substr(8);
    const LowRank& found = layer_of(adapter, layer);
    const auto rank = static_cast<double>(found.A.size(0));
    golden.check_each_of(name, at::tensor({found.scale, rank}, at::kDouble), golden.use(name).narrow(0, 0, 2), 1e-12);
    golden.check_max_of("merged." + layer + ".weight", weights.at(layer + ".weight") + changes.at(layer + ".weight"),
                        golden.use("merged." + layer + ".weight"), tolerances.merged);
  }
}

void check_gradients(Golden& golden, const AdapterFile& adapter, const std::map<std::string, Tensor>& gradients,
                     const std::string& twin, double tolerance) {
  for (const auto& name : golden.names("scaling.")) {
    const std::string layer = name.substr(8);
    const LowRank& found = layer_of(adapter, layer);
    const Tensor G = gradients.at(layer + ".weight").flatten(1), A = found.A.to(G.scalar_type()),
                 B = found.B.to(G.scalar_type());
    const auto check = [&](const std::string& factor, const Tensor& ours) {
      const std::string reference = "grad." + layer + "." + factor + ".weight" + twin;
      // of some the file has the float32 gradient only
      if (twin.empty() || golden.has(reference)) golden.check_max(reference, ours, tolerance);
    };
    check("lora_A", (found.scale * at::mm(B.flatten(1).t(), G)).view(A.sizes()));
    check("lora_B", (found.scale * at::mm(G, A.flatten(1).t())).view(B.sizes()));
  }
}

}  // namespace

TEST_CASE("adapters of peft, diffusers and kohya on diffusers' networks", "[golden][checkpoints]") {
  testing::for_each_golden({"lora_"}, [](Golden& golden) {
    const Tolerances tolerances = tolerances_of(golden);
    const fs::path base = testing::golden_folder() / golden.settings().at("base").get<std::string>(),
                   folder = testing::golden_folder() / golden.settings().at("adapter").get<std::string>();
    Base single(golden, base, at::kFloat), wide(golden, base, at::kDouble);
    const Tensor plain = single.answer({}).detach();
    golden.check_max("out.base", plain, tolerances.out);
    std::int64_t layouts = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() != ".safetensors") continue;
      ++layouts;
      const AdapterFile adapter = read_adapter(entry.path());
      check_scales_and_merged(golden, adapter, single.weights(), tolerances);
      for (const auto& name : golden.names("out.strength")) {
        const bool fp64 = name.ends_with(".fp64");
        const double strength = std::stod(name.substr(12, name.size() - 12 - (fp64 ? 5 : 0)));
        Base& network = fp64 ? wide : single;
        const auto changes =
            strength == 0.0 ? std::map<std::string, Tensor>() : adapter_changes(adapter, network.weights(), strength);
        const Tensor out = network.answer(changes);
        golden.check_max(name, out.detach(), tolerances.out);
        if (strength == 0.0) golden.check("strength 0 is the base, bit for bit", out.equal(plain));
        if (strength != 1.0) continue;
        golden.check_max("out.merged", out.detach(), tolerances.out);
        check_gradients(golden, adapter, network.gradients(out), fp64 ? ".fp64" : "", tolerances.gradient);
      }
    }
    golden.check("files of an adapter", layouts > 0);
  });
}

// A run of a diffusers folder, adapted here: the factors that train are those of the fused weights.
TEST_CASE("an adapter trains on a network that was read from diffusers", "[checkpoints]") {
  const fs::path base = testing::golden_folder() / "diffusers/class_embedding";
  const ForeignModel model = read_foreign(base);
  const Experiment experiment = construct(parse(Options::read_text(model.config, "settings")), Needs::kModel);
  Network& network = experiment.model.network();
  load_state(network, model.weights, base.string());
  Options options = Options::read_text("{type: lora, rank: 2, targets: [qkv, proj]}", "adapter");
  make_adapter(options)(network, 1);
  const auto layers = low_rank_layers(network);
  REQUIRE(!layers.empty());
  const ImageShape& image = experiment.shape.image;
  network
      .forward(at::ones({1, image.channels, image.height, image.width}), at::ones({1}),
               {.labels = at::zeros({1}, at::kLong)})
      .square()
      .sum()
      .backward();
  for (const auto& layer : layers) CHECK(layer.B.grad().abs().max().item<double>() > 0.0);
}
