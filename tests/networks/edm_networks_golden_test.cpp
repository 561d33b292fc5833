// The networks of NVlabs/edm: SongUNet is our `unet`, DhariwalUNet our `adm`.
#include "edmund/core/error.h"
#include "edmund/diffusion/model.h"
#include "edmund/networks/layers.h"
#include "edmund/networks/network.h"
#include "support/catch.h"
#include "support/device.h"
#include "support/golden.h"
#include "support/gpu.h"
#include "support/kernels.h"
#include "support/state.h"
#include "support/wrappers.h"

#include <ATen/ATen.h>
#include <map>
#include <regex>

using namespace edmund;
using testing::Golden;

namespace {

const std::map<std::string, std::string> kNetworks = {{"SongUNet", "unet"}, {"DhariwalUNet", "adm"}};

// Our option for each argument of NVlabs/edm's classes.
const std::map<std::string, std::string> kOptions = {
    {"model_channels", "channels"},
    {"channel_mult", "multipliers"},
    {"channel_mult_emb", "embedding_multiplier"},
    {"channel_mult_noise", "noise_multiplier"},
    {"num_blocks", "blocks"},
    {"attn_resolutions", "attention"},
    {"dropout", "dropout"},
    {"embedding_type", "embedding"},
    {"encoder_type", "encoder"},
    {"decoder_type", "decoder"},
    {"resample_filter", "resample_filter"},
};

std::shared_ptr<Network> build(const Golden& golden) {
  const auto& s = golden.settings();
  const std::string type = s.at("model_type");
  require(kNetworks.contains(type), "model_type {} is none of SongUNet and DhariwalUNet", type);
  nlohmann::json config = {{"type", kNetworks.at(type)}};
  for (const auto& [key, value] : s.items()) {
    if (kOptions.contains(key)) {
      config[kOptions.at(key)] = value;
    } else {
      const std::vector<std::string> others{"img_resolution", "img_channels", "label_dim",
                                            "augment_dim",    "batch",        "model_type"};
      require(std::find(others.begin(), others.end(), key) != others.end(), "no option here for the setting '{}'", key);
    }
  }
  config["learned_variance"] = golden.has("out.iDDPMPrecond");
  Options options = testing::options_of(config);
  const std::int64_t R = s.at("img_resolution");
  const NetworkContext context{.image = {.channels = s.at("img_channels"), .height = R, .width = R},
                               .num_classes = s.at("label_dim"),
                               .augment_labels = s.at("augment_dim")};
  const auto network = make_network(options, context);
  options.finish();
  return network;
}

// What the network's module map_noise makes of the noise input.
Tensor noise_embedding(const Network& network, const Tensor& c_noise) {
  for (const auto& part : network.named_children())
    if (const auto* embedding = dynamic_cast<const Embedding*>(part.value().get())) return embedding->forward(c_noise);
  fail("the network embeds no noise level");
}

struct Tolerances {
  double out, exact, norm;
};

// One precision of a file: `twin` is what the names of its references end in.
class Run {
 public:
  Run(Golden& golden, at::ScalarType dtype, std::string twin, Tolerances tolerances, at::Device device = at::kCPU)
      : golden_(golden),
        dtype_(dtype),
        device_(device),
        twin_(std::move(twin)),
        tolerances_(tolerances),
        network_(build(golden)) {
    testing::load(*network_, golden, "model.");
    network_->to(device, dtype);
    network_->eval();
  }

  void outputs() {
    const Tensor x = io("x"), c_noise = io("noise_labels");
    if (!twin_.empty()) return wrapped();
    golden_.check_max("mid.map_noise", noise_embedding(*network_, c_noise), tolerance());
    golden_.check_max("out.inner_model", network_->forward(x, c_noise, condition()), tolerance());
    wrapped();
  }

  void gradients() {
    std::smatch found;
    const auto notes = golden_.notes();
    require(std::regex_search(notes, found, std::regex(R"(sum\(out\.(\w+) \* io\.grad_w\))")),
            "the notes do not say what the gradients are of");
    const Tensor x = io("x").clone().requires_grad_();
    (model(found[1].str()).denoise(x, io("sigma"), condition()) * io("grad_w")).sum().backward();

    std::map<std::string, Tensor> gradients{{"io.x", x.grad()}};
    for (const auto& item : network_->named_parameters()) gradients["model." + item.key()] = item.value().grad();
    for (const auto& name : golden_.names("grad.")) {
      if (name.ends_with(".fp64") != !twin_.empty()) continue;
      const auto parameter = name.substr(5, name.size() - 5 - twin_.size());
      require(gradients.contains(parameter), "no parameter for '{}'", name);
      golden_.check_max(name, gradients.at(parameter), twin_.empty() ? tolerances_.norm : tolerances_.exact);
    }
    for (const auto& name : golden_.names("gradnorm.")) {
      const auto parameter = name.substr(9);
      require(gradients.contains(parameter), "no parameter for '{}'", name);
      const Tensor norm = gradients.at(parameter).cpu().to(at::kDouble).norm();
      golden_.check_each_of(name, norm, golden_.use(name)[twin_.empty() ? 0 : 1],
                            twin_.empty() ? tolerances_.norm : tolerances_.exact);
    }
    const auto norms = golden_.names("gradnorm.");
    golden_.check("a gradient norm for each parameter", norms.size() == network_->parameters().size());
  }

 private:
  double tolerance() const { return twin_.empty() ? tolerances_.out : tolerances_.exact; }
  Tensor io(const std::string& name) { return golden_.use("io." + name).to(device_, dtype_); }

  Condition condition() {
    Condition out;
    if (golden_.has("io.class_labels")) out.labels = io("class_labels");
    if (golden_.has("io.augment_labels")) out.augment = io("augment_labels");
    return out;
  }

  DenoisingModel model(const std::string& name) const {
    return {network_, testing::wrapper(name), [](const Tensor&) { return Tensor(); }};
  }

  // out.WRAPPER, out.WRAPPER.no_label, out.WRAPPER.no_augment, each with or without the twin's
  // ending.
  void wrapped() {
    for (const auto& name : golden_.names("out.")) {
      if (name.ends_with(".fp64") != !twin_.empty() || name.starts_with("out.inner_model")) continue;
      const auto stem = name.substr(4, name.size() - 4 - twin_.size()), wrapper = stem.substr(0, stem.find('.'));
      const auto variant = stem.substr(wrapper.size());
      Condition c = condition();
      if (variant == ".no_label") {
        c.labels = Tensor();
      } else if (variant == ".no_augment") {
        c.augment = Tensor();
      } else {
        require(variant.empty(), "unknown variant in '{}'", name);
      }
      golden_.check_max(name, model(wrapper).denoise(io("x"), io("sigma"), c), tolerance());
      if (wrapper == "iDDPMPrecond" && golden_.has("u")) {  // its levels, the largest first, 0 last
        const std::vector<double> levels = model(wrapper).preconditioning().levels;
        const Tensor ours = at::cat({at::tensor(levels, at::kDouble).flip(0), at::zeros({1}, at::kDouble)});
        golden_.check_max("u", ours, tolerances_.out);
      }
    }
  }

  Golden& golden_;
  at::ScalarType dtype_;
  at::Device device_;
  std::string twin_;
  Tolerances tolerances_;
  std::shared_ptr<Network> network_;
};

Tolerances tolerances_of(const Golden& golden) {
  const std::string text = golden.about().at("tolerance");
  return {.out = testing::number_in(text, R"(max\|diff\|/max\|ref\| <= ([0-9.e-]+))"),
          .exact = testing::number_in(text, R"(fp64 build vs `\.fp64`: ([0-9.e-]+))"),
          .norm = testing::number_in(text, R"(gradient norms rel ([0-9.e-]+))")};
}

// In float32 only; cuDNN may convolve by Winograd's algorithm, which loses a digit.
void check_on_gpu(at::Device device) {
  testing::for_each_golden({"network_songunet_", "network_dhariwalunet_"},
                           [&](Golden& golden) {
                             const Tolerances given = tolerances_of(golden);
                             Run once(golden, at::kFloat, "",
                                      {.out = 10 * given.out, .exact = given.exact, .norm = 10 * given.norm}, device);
                             once.outputs();
                             once.gradients();
                           },
                           {"*.fp64"});
}

}  // namespace

TEST_CASE("Networks of NVlabs/edm and their gradients equal its own in single and double precision",
          "[networks][golden]") {
  const testing::TestDevice device;
  if (testing::TestDevice::current().is_cuda()) return check_on_gpu(testing::TestDevice::current());
  testing::for_each_golden({"network_songunet_", "network_dhariwalunet_"}, [](Golden& golden) {
    const Tolerances tolerances = tolerances_of(golden);
    const auto run = [&](at::ScalarType dtype, const std::string& twin) {
      Run once(golden, dtype, twin, tolerances);
      once.outputs();
      once.gradients();
    };
    run(at::kDouble, ".fp64");
    testing::for_each_backend([&](const std::string& backend) {
      INFO("backend " << backend);
      run(at::kFloat, "");
    });
  });
}

TEST_CASE("Networks of NVlabs/edm and their gradients on a GPU equal its own", "[networks][gpu]") {
  const testing::UseGpu gpu;
  check_on_gpu(gpu.device());
}
