#include "edmund/core/error.h"
#include "edmund/diffusion/model.h"
#include "edmund/networks/magnitude_preserving.h"
#include "edmund/networks/network.h"
#include "edmund/ops/magnitude.h"
#include "support/catch.h"
#include "support/edm2_network.h"
#include "support/formula_weights.h"
#include "support/golden.h"
#include "support/kernels.h"
#include "support/state.h"
#include "support/wrappers.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <map>
#include <set>

using namespace edmund;
using testing::Golden;

namespace {

// half precision is for GPUs only there
const std::set<std::string> kOthers = {"img_resolution", "img_channels",    "label_dim", "batch",
                                       "sigma_data",     "logvar_channels", "use_fp16"};

std::shared_ptr<Network> build(const Golden& golden) { return testing::edm2_network(golden.settings(), kOthers); }

// Weights as stored, or by formula, where gains, of no dimension, have a value of their own.
void load_weights(torch::nn::Module& module, Golden& golden, const std::string& part) {
  const at::NoGradGuard no_grad;
  if (!testing::FormulaWeights::from(golden.notes())) return testing::load_state(module, golden, "model." + part);
  testing::load_formula(module, golden, part);
  const double gain = testing::number_in(golden.notes(), R"(0-dim parameters \(gains\) are all ([0-9.]*[0-9]))");
  for (auto& [name, tensor] : testing::state_of(module))
    if (tensor.dim() == 0) tensor.fill_(gain);
}

struct Tolerances {
  double out, gradient, exact;
};
// Of the precision whose references end in `twin`.
double output_tolerance(const Tolerances& t, const std::string& twin) { return twin.empty() ? t.out : t.exact; }
double gradient_tolerance(const Tolerances& t, const std::string& twin) { return twin.empty() ? t.gradient : t.exact; }

// Double precision against the twins, then float32 by every backend.
template <typename Body>
void for_each_precision(const Body& body) {
  body(at::kDouble, std::string(".fp64"));
  testing::for_each_backend([&](const std::string& backend) {
    INFO("backend " << backend);
    body(at::kFloat, std::string());
  });
}

bool of_twin(const std::string& name, const std::string& twin) { return name.ends_with(".fp64") != twin.empty(); }

class Run {
 public:
  Run(Golden& golden, at::ScalarType dtype, std::string twin, Tolerances tolerances)
      : golden_(golden),
        dtype_(dtype),
        twin_(std::move(twin)),
        tolerances_(tolerances),
        network_(build(golden)),
        fourier_(golden.settings().value("logvar_channels", 128)),
        linear_(golden.settings().value("logvar_channels", 128), 1, 0) {
    load_weights(*network_, golden, "unet.");
    load_weights(fourier_, golden, "logvar_fourier.");
    load_weights(linear_, golden, "logvar_linear.");
    network_->to(dtype);
    fourier_.to(dtype);
    linear_.to(dtype);
  }

  void outputs() {
    const at::NoGradGuard no_grad;
    const auto child = network_->named_children();
    const auto emb_fourier = std::dynamic_pointer_cast<MPFourier>(child["emb_fourier"]);
    check("mid.emb_fourier", emb_fourier->forward(c_noise()));
    for (const auto& name : golden_.names("out.")) {
      if (!of_twin(name, twin_)) continue;
      const auto stem = name.substr(0, name.size() - twin_.size());
      if (stem == "out.train") continue;  // see training()
      if (stem == "out.logvar") {
        check(stem, log_variance());
      } else if (stem == "out.unet") {
        check(stem, network_->forward(io("x"), c_noise(), condition()));
      } else {
        require(stem == "out.eval" || stem == "out.eval.no_label", "unknown output '{}'", name);
        check(stem, denoised(io("x"), stem == "out.eval" ? condition() : Condition{}));
      }
    }
  }

  // As in training, where weights are normalized before each step.
  void training() {
    network_->stepped();
    linear_.normalize();
    if (twin_.empty()) normalized_weights();
    require(golden_.notes().find("gradients of sum(out.train*io.grad_w) + sum(logvar*io.grad_w_logvar)") !=
                std::string::npos,
            "the notes do not say what the gradients are of");
    const Tensor x = io("x").clone().requires_grad_();
    const Tensor out = denoised(x, condition());
    check("out.train", out);
    ((out * io("grad_w")).sum() + (log_variance() * io("grad_w_logvar")).sum()).backward();
    gradients(x.grad());
  }

 private:
  std::map<std::string, Tensor> parameters() const {
    std::map<std::string, Tensor> out{{"logvar_linear.weight", linear_.weight()}};
    for (const auto& item : network_->named_parameters()) out["unet." + item.key()] = item.value();
    return out;
  }

  void normalized_weights() {
    for (const auto& [name, weight] : parameters()) {
      const std::string whole = "weight_after_train_call." + name, sums = "weightsum_after_train_call." + name;
      if (golden_.has(whole)) golden_.check_max(whole, weight.detach(), tolerances_.out);
      if (!golden_.has(sums)) continue;
      const Tensor reference = golden_.use(sums), w = weight.detach().to(at::kDouble);
      golden_.check_each_of(sums, at::stack({w.sum(), w.norm()}), reference, 0.0,
                            tolerances_.out * reference[1].item<double>());
    }
  }

  void gradients(const Tensor& of_x) {
    std::map<std::string, Tensor> gradients{{"io.x", of_x}};
    for (const auto& [name, parameter] : parameters()) gradients[name] = parameter.grad();
    const double tolerance = gradient_tolerance(tolerances_, twin_);
    for (const auto& name : golden_.names("grad.")) {
      if (!of_twin(name, twin_)) continue;
      golden_.check_max(name, gradients.at(name.substr(5, name.size() - 5 - twin_.size())), tolerance);
    }
    for (const auto& name : golden_.names("gradnorm."))
      golden_.check_each_of(name, gradients.at(name.substr(9)).to(at::kDouble).norm(),
                            golden_.use(name)[twin_.empty() ? 0 : 1], tolerance);
    golden_.check("a gradient norm for each parameter", golden_.names("gradnorm.").size() + 1 == gradients.size());
  }

  void check(const std::string& name, const Tensor& ours) {
    golden_.check_max(name + twin_, ours, output_tolerance(tolerances_, twin_));
  }
  Tensor io(const std::string& name) { return golden_.use("io." + name).to(dtype_); }
  Tensor c_noise() { return io("sigma").log() / 4; }
  Tensor log_variance() { return linear_.forward(fourier_.forward(c_noise())).reshape({-1, 1, 1, 1}); }

  Condition condition() {
    Condition out;
    if (golden_.has("io.class_labels")) out.labels = io("class_labels");
    return out;
  }
  Tensor denoised(const Tensor& x, const Condition& condition) {
    const nlohmann::json settings{{"sigma_data", golden_.settings().value("sigma_data", 0.5)}};
    const DenoisingModel model(network_, testing::wrapper("EDMPrecond", settings),
                               [](const Tensor&) { return Tensor(); });
    return model.denoise(x, io("sigma"), condition);
  }

  Golden& golden_;
  at::ScalarType dtype_;
  std::string twin_;
  Tolerances tolerances_;
  std::shared_ptr<Network> network_;
  MPFourier fourier_;  // with linear_ the head of the learned uncertainty
  MPConv linear_;
};

Tolerances parts_tolerances(const Golden& golden) {
  const std::string text = golden.about().at("tolerance");
  return {.out = testing::number_in(text, R"(<= ([0-9.e-]+) \(outputs\))"),
          .gradient = testing::number_in(text, R"(([0-9.e-]+) \(gradients\))"),
          .exact = testing::number_in(text, R"(fp64 build vs `\.fp64`: ([0-9.e-]+))")};
}

MPBlock::Config block_config(const nlohmann::json& s) {
  MPBlock::Config c{.in = s.at("in_channels"), .out = s.at("out_channels"), .embedding = s.at("emb_channels")};
  for (const auto& [key, value] : s.items()) {
    if (key == "in_channels" || key == "out_channels" || key == "emb_channels") continue;
    if (key == "flavor") {
      require(value == "enc" || value == "dec", "unknown flavor {}", value.dump());
      c.flavor = value == "dec" ? MPBlock::Flavor::kDecoder : MPBlock::Flavor::kEncoder;
    } else if (key == "resample_mode") {
      require(value == "keep" || value == "up" || value == "down", "unknown resample_mode {}", value.dump());
      c.up = value == "up";
      c.down = value == "down";
    } else if (key == "resample_filter") {
      c.resample_filter = value.get<std::vector<double>>();
    } else if (key == "attention") {
      c.attention = value;
    } else if (key == "channels_per_head") {
      c.channels_per_head = value;
    } else {
      const std::map<std::string, double*> numbers{{"dropout", &c.dropout},
                                                   {"res_balance", &c.res_balance},
                                                   {"attn_balance", &c.attn_balance},
                                                   {"clip_act", &c.clip_act}};
      require(numbers.contains(key), "no option here for the setting '{}'", key);
      *numbers.at(key) = value.is_null() ? 0.0 : value.get<double>();
    }
  }
  return c;
}

void check_block(Golden& golden, const std::string& name, at::ScalarType dtype, const std::string& twin,
                 const Tolerances& tolerances) {
  const std::string prefix = "block." + name + ".";
  MPBlock block(block_config(golden.settings(name)));
  testing::load_state(block, golden, prefix + "state.");
  block.to(dtype);
  normalize_weights(block);
  const Tensor x = golden.use(prefix + "x").to(dtype).clone().requires_grad_(),
               emb = golden.use(prefix + "emb").to(dtype).clone().requires_grad_();
  const Tensor out = block.forward(x, emb);
  golden.check_max(prefix + "out" + twin, out, output_tolerance(tolerances, twin));
  out.square().sum().backward();
  std::map<std::string, Tensor> gradients{{"x", x.grad()}, {"emb", emb.grad()}};
  for (const auto& item : block.named_parameters()) {
    const auto& key = item.key();
    gradients[key.ends_with(".weight") ? key.substr(0, key.size() - 7) : key] = item.value().grad();
  }
  const std::string grads = prefix + "grad_";
  for (const auto& reference : golden.names(grads)) {
    if (!of_twin(reference, twin)) continue;
    const auto of = reference.substr(grads.size(), reference.size() - grads.size() - twin.size());
    golden.check_max(reference, gradients.at(of), gradient_tolerance(tolerances, twin));
  }
}

}  // namespace

TEST_CASE("EDM2's network, uncertainty and gradients equal NVlabs/edm2's, also on normalized weights",
          "[networks][golden]") {
  testing::for_each_golden({"network_edm2_"}, [](Golden& golden) {
    const std::string text = golden.about().at("tolerance");
    const Tolerances tolerances{.out = testing::number_in(text, R"(max\|diff\|/max\|ref\| <= ([0-9.e-]+))"),
                                .gradient = testing::number_in(text, R"(gradient norms rel ([0-9.e-]+))"),
                                .exact = testing::number_in(text, R"(fp64 build vs `\.fp64`: ([0-9.e-]+))")};
    for_each_precision([&](at::ScalarType dtype, const std::string& twin) {
      Run run(golden, dtype, twin, tolerances);
      run.outputs();
      run.training();
    });
  });
}

TEST_CASE("EDM2's blocks and their gradients equal NVlabs/edm2's", "[networks][golden]") {
  testing::for_each_golden({"edm2_blocks_"}, [](Golden& golden) {
    const Tolerances tolerances = parts_tolerances(golden);
    for_each_precision([&](at::ScalarType dtype, const std::string& twin) {
      for (const auto& name : golden.parts("block.")) check_block(golden, name, dtype, twin, tolerances);
    });
  });
}
