#include "edmund/core/error.h"
#include "edmund/networks/dit.h"
#include "edmund/ops/tokens.h"
#include "support/catch.h"
#include "support/device.h"
#include "support/formula_weights.h"
#include "support/golden.h"
#include "support/kernels.h"
#include "support/state.h"
#include "support/wrappers.h"

#include <ATen/ATen.h>
#include <map>

using namespace edmund;
using testing::Golden;

namespace {

struct Tolerances {
  double out, exact, norm;
};

// Our option for each argument of facebookresearch/DiT's class.
const std::map<std::string, std::string> kOptions = {
    {"patch_size", "patch"}, {"hidden_size", "hidden_size"}, {"depth", "depth"},
    {"num_heads", "heads"},  {"mlp_ratio", "mlp_ratio"},     {"learn_sigma", "learn_sigma"},
};

std::shared_ptr<DiT> build(const Golden& golden) {
  const auto& s = golden.settings();
  // The defaults of the reference's class where they are not ours.
  nlohmann::json config = {{"type", "dit"}, {"learn_sigma", true}, {"hidden_size", 1152}, {"depth", 28}, {"heads", 16}};
  for (const auto& [key, value] : s.items()) {
    if (kOptions.contains(key)) {
      config[kOptions.at(key)] = value;
    } else if (key == "class_dropout_prob") {
      config["null_class"] = value.get<double>() > 0;
    } else {
      require(key == "input_size" || key == "in_channels" || key == "num_classes", "no option here for '{}'", key);
    }
  }
  const std::int64_t R = s.value("input_size", 32);
  const NetworkContext context{.image = {.channels = s.value("in_channels", 4), .height = R, .width = R},
                               .num_classes = s.value("num_classes", 1000)};
  Options options = testing::options_of(config);
  const auto network = make_network(options, context);
  options.finish();
  return std::dynamic_pointer_cast<DiT>(network);
}

void load(DiT& network, Golden& golden) {
  if (testing::FormulaWeights::from(golden.notes())) {
    // The formula is for parameters; the position table stays as built.
    Tensor table = testing::state_of(network).at("pos_embed");
    const Tensor built = table.clone();
    testing::load_formula(network, golden, "");
    table.copy_(built);
  } else {
    // One rounding of float32.
    golden.check_max("model.pos_embed", testing::state_of(network).at("pos_embed"), 1.2e-7);
    testing::load_state(network, golden, "model.");
  }
}

// One precision of a network's file: `twin` is what the names of its references end in.
class Run {
 public:
  Run(Golden& golden, at::ScalarType dtype, std::string twin, Tolerances tolerances)
      : golden_(golden), dtype_(dtype), twin_(std::move(twin)), tolerances_(tolerances), network_(build(golden)) {
    load(*network_, golden);
    network_->to(testing::TestDevice::current(), dtype);
    // SiT drops the second half of what the network computes.
    channels_ = golden.use("out").size(1);
  }

  void outputs() {
    const Tensor x = io("x"), t = io("t");
    check("out", forward(x, t, labels()));
    if (golden_.has("out.cfg")) check("out.cfg", guided());
    if (twin_.empty()) middle(x, t);
  }

  void gradients() {
    const Tensor x = io("x").clone().requires_grad_();
    network_->zero_grad();
    (forward(x, io("t"), labels()) * io("grad_w")).sum().backward();
    std::map<std::string, Tensor> gradients{{"io.x", x.grad()}};
    for (const auto& item : network_->named_parameters()) gradients[item.key()] = item.value().grad();
    const auto of = [&](const std::string& parameter) {
      require(gradients.contains(parameter), "no parameter '{}'", parameter);
      return gradients.at(parameter);
    };
    const double tolerance = twin_.empty() ? tolerances_.norm : tolerances_.exact;
    for (const auto& name : golden_.names("grad.")) {
      const bool wide = name.ends_with(".fp64");
      if (!wide && !twin_.empty()) continue;
      golden_.check_max(name, of(name.substr(5, name.size() - 5 - (wide ? 5 : 0))), tolerance);
    }
    const auto norms = golden_.names("gradnorm.");
    for (const auto& name : norms)
      golden_.check_each_of(name, of(name.substr(9)).cpu().to(at::kDouble).norm(),
                            golden_.use(name)[twin_.empty() ? 0 : 1], tolerance);
    golden_.check("a gradient norm for each parameter", norms.size() == network_->parameters().size());
  }

 private:
  Tensor io(const std::string& name) { return golden_.use("io." + name).to(testing::TestDevice::current(), dtype_); }
  Tensor labels() { return golden_.use("io.y").to(testing::TestDevice::current()); }
  void check(const std::string& name, const Tensor& ours) {
    golden_.check_max(name + twin_, ours, twin_.empty() ? tolerances_.out : tolerances_.exact);
  }
  Tensor forward(const Tensor& x, const Tensor& t, const Tensor& y) {
    return network_->forward(x, t, {.labels = y}).narrow(1, 0, channels_);
  }

  // forward_with_cfg of the reference, which guides three channels.
  Tensor guided() {
    const double scale = testing::number_in(golden_.notes(), R"(cfg_scale ([0-9.]+))");
    const Tensor x = io("x").narrow(0, 0, 2), t = io("t").narrow(0, 0, 2), y = labels().narrow(0, 0, 2);
    const Tensor none = at::full_like(y, golden_.settings().at("num_classes").get<std::int64_t>());
    const Tensor with = forward(x, t, y), without = forward(x, t, none);
    const Tensor a = with.narrow(1, 0, 3), b = without.narrow(1, 0, 3), guided = b + scale * (a - b);
    const auto rest = [](const Tensor& out) { return out.narrow(1, 3, out.size(1) - 3); };
    return at::cat({at::cat({guided, rest(with)}, 1), at::cat({guided, rest(without)}, 1)});
  }

  void middle(const Tensor& x, const Tensor& t) {
    const Tensor c = network_->embedding(t, {.labels = labels()}, x.size(0));
    check("mid.c", c);
    Tensor h = network_->tokens(x);
    check("mid.tokens", h);
    for (std::size_t i = 0; i < network_->blocks().size(); ++i) {
      h = network_->blocks()[i]->forward(h, c);
      check("mid.block" + std::to_string(i), h);
    }
  }

  Golden& golden_;
  at::ScalarType dtype_;
  std::string twin_;
  Tolerances tolerances_;
  std::shared_ptr<DiT> network_;
  std::int64_t channels_ = 0;
};

template <typename Module>
Module& loaded(Module&& module, Golden& golden, const std::string& prefix, at::ScalarType dtype) {
  testing::load_state(module, golden, prefix + ".state.");
  module.to(testing::TestDevice::current(), dtype);
  return module;
}

void pieces(Golden& golden, at::ScalarType dtype, const std::string& twin) {
  const std::string text = golden.about().at("tolerance");
  const double out = testing::number_in(text, R"(max\|diff\|/max\|ref\| <= ([0-9.e-]+))"),
               waves = testing::number_in(text, R"(timestep.sincos ([0-9.e-]+))"),
               exact = testing::number_in(text, R"(fp64 build vs `\.fp64`: ([0-9.e-]+))"),
               table = testing::number_in(text, R"(pos_embed: ([0-9.e-]+))");
  const auto& s = golden.settings();
  const std::int64_t C = s.at("channels"), E = s.at("width"), patch = s.at("patch"), classes = s.at("num_classes"),
                     side = s.at("resolution").get<std::int64_t>() / patch;
  const auto in = [&](const std::string& name) { return golden.use(name).to(testing::TestDevice::current(), dtype); };
  const auto check = [&](const std::string& name, const Tensor& ours) {
    golden.check_max(name + twin, ours, twin.empty() ? out : exact);
  };
  for (const auto& name : golden.names("pos_embed.dim")) {
    const auto width = static_cast<std::int64_t>(testing::number_in(name, R"(dim([0-9]+))")),
               grid = static_cast<std::int64_t>(testing::number_in(name, R"(grid([0-9]+))"));
    golden.check_max(name, grid_embedding(width, grid, grid), table);
  }
  for (const auto& name : golden.names("timestep.sincos.dim")) {
    if (name.ends_with(".fp64") != !twin.empty()) continue;
    const auto width = static_cast<std::int64_t>(testing::number_in(name, R"(dim([0-9]+))"));
    golden.check_max(name, timestep_sinusoid(in("timestep.t"), width), twin.empty() ? waves : exact);
  }
  PatchEmbedding x_embedder(C, patch, E);
  check("x_embedder.out", loaded(x_embedder, golden, "x_embedder", dtype).forward(in("x")));
  TimestepEmbedding t_embedder(E, s.at("frequency_embedding_size"));
  check("t_embedder.out", loaded(t_embedder, golden, "t_embedder", dtype).forward(in("timestep.t")));
  LabelEmbedding y_embedder(classes, golden.use("y_embedder.state.embedding_table.weight").size(0) > classes, E);
  loaded(y_embedder, golden, "y_embedder", dtype);
  const Tensor labels = golden.use("labels").to(testing::TestDevice::current()),
               drop = golden.use("force_drop_ids").to(testing::TestDevice::current());
  check("y_embedder.out", y_embedder.forward(labels, labels.size(0)));
  check("y_embedder.out_force_drop", y_embedder.forward(at::where(drop == 1, classes, labels), labels.size(0)));

  DiTBlock block(E, s.at("heads"), static_cast<std::int64_t>(static_cast<double>(E) * s.at("mlp_ratio").get<double>()));
  loaded(block, golden, "block", dtype);
  const Tensor tokens = in("tokens").clone().requires_grad_(), c = in("c").clone().requires_grad_();
  const Tensor result = block.forward(tokens, c);
  check("block.norm1_out", ops::layer_norm_modulate(tokens, {}, {}, DiTBlock::kEps));
  // The branches by themselves, without modulation.
  check("block.attn_out", block.attention(tokens));
  check("block.mlp_out", block.mlp(tokens));
  check("block.out", result);
  if (twin.empty()) {
    result.square().sum().backward();
    check("block.grad_tokens", tokens.grad());
    check("block.grad_c", c.grad());
    check("block.grad_qkv_weight", testing::state_of(block).at("attn.qkv.weight").grad());
  }
  DiTFinalLayer final_layer(E, golden.use("final_layer.state.linear.bias").numel());
  const Tensor last = loaded(final_layer, golden, "final_layer", dtype).forward(tokens, c);
  check("final_layer.out", last);
  if (twin.empty()) check("unpatchify.out", image_of_patches(last, patch, side, side));
}

template <typename Body>
void in_both_precisions(const Body& run) {
  if (testing::TestDevice::current().is_cuda()) return run(at::kFloat, "");
  run(at::kDouble, ".fp64");
  testing::for_each_backend([&](const std::string& backend) {
    INFO("backend " << backend);
    run(at::kFloat, "");
  });
}

}  // namespace

TEST_CASE("DiT, SiT and their gradients equal the references' in both precisions", "[networks][golden]") {
  const testing::TestDevice device;
  testing::for_each_golden({"network_dit_", "network_sit_"}, [](Golden& golden) {
    const std::string text = golden.about().at("tolerance");
    const Tolerances tolerances{.out = testing::number_in(text, R"(max\|diff\|/max\|ref\| <= ([0-9.e-]+))"),
                                .exact = testing::number_in(text, R"(fp64 build vs `\.fp64`: ([0-9.e-]+))"),
                                .norm = testing::number_in(text, R"(gradient norms rel ([0-9.e-]+))")};
    in_both_precisions([&](at::ScalarType dtype, const std::string& twin) {
      Run once(golden, dtype, twin, tolerances);
      once.outputs();
      once.gradients();
    });
  });
}

TEST_CASE("Each part of DiT equals the reference's", "[networks][golden]") {
  const testing::TestDevice device;
  testing::for_each_golden({"dit_pieces"}, [](Golden& golden) {
    in_both_precisions([&](at::ScalarType dtype, const std::string& twin) { pieces(golden, dtype, twin); });
  });
}
