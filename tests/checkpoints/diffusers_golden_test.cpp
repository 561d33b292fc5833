// Model folders of huggingface/diffusers: parts, outputs and gradients of their networks, and what
// their DDIM makes of the same noise.
#include "edmund/app/config.h"
#include "edmund/checkpoints/diffusers.h"
#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
#include "edmund/networks/block_unet.h"
#include "edmund/networks/state_dict.h"
#include "samplers/noise.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/kernels.h"
#include "support/temporary_folder.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fstream>

using namespace edmund;
using testing::Golden;
namespace fs = std::filesystem;

namespace {

struct Tolerances {
  double out, norm, run_factor, run_least;
};

Tolerances tolerances_of(const Golden& golden) {
  const std::string text = golden.about().at("tolerance");
  return {.out = testing::number_in(text, R"(max\|diff\|/max\|ref\| <= ([0-9.e-]+))"),
          .norm = testing::number_in(text, R"(gradient norms rel ([0-9.e-]+))"),
          .run_factor = testing::number_in(text, R"(RUN\.final: ([0-9.e-]+) x)"),
          .run_least = testing::number_in(text, R"(at least ([0-9.e-]+))")};
}

struct Loaded {
  ForeignModel model;
  Experiment experiment;
};

Loaded loaded(const fs::path& folder, at::ScalarType dtype, std::vector<std::string> overrides = {}) {
  ForeignModel model = read_foreign(folder);
  Experiment experiment = construct(parse(Options::read_text(model.config, "settings", overrides)), Needs::kModel);
  load_state(experiment.model.network(), model.weights, folder.string());
  experiment.model.network().to(dtype);
  experiment.model.network().eval();
  return {std::move(model), std::move(experiment)};
}

// One precision of a folder's network by itself.
class Run {
 public:
  Run(Golden& golden, const fs::path& folder, at::ScalarType dtype)
      : golden_(golden),
        folder_(folder),
        dtype_(dtype),
        twin_(dtype == at::kDouble ? ".fp64" : ""),
        tolerances_(tolerances_of(golden)),
        loaded_(loaded(folder, dtype)),
        network_(dynamic_cast<BlockUNet&>(loaded_.experiment.model.network())),
        fourier_(golden.settings().at("config").value("time_embedding_type", "positional") == "fourier") {}

  void outputs_and_gradients() {
    golden_.check("the kind is found out", loaded_.model.kind == "diffusers");
    golden_.check("parameters", parameter_count(network_) == golden_.settings().at("parameters").get<std::int64_t>() -
                                                                 (fourier_ ? fixed_frequencies() : 0));
    const Tensor sample = io("sample").clone().requires_grad_();
    const Tensor out = forward(sample);
    golden_.check_max("out.sample" + twin_, out, tolerances_.out);
    (out * io("grad_w")).sum().backward();
    golden_.check_max("grad.io.sample" + twin_, sample.grad(), tolerances_.norm);
    gradient_norms();
  }

 private:
  Tensor io(const std::string& name) { return golden_.use("io." + name).to(dtype_); }
  std::int64_t fixed_frequencies() const {
    return golden_.settings().at("config").at("block_out_channels")[0].get<std::int64_t>();
  }

  // The network here gets images as the config says, and answers with what diffusers divides by σ.
  Tensor forward(const Tensor& sample) {
    const Tensor t = golden_.use("io.timestep").to(fourier_ ? dtype_ : at::kFloat);
    const Condition condition{.labels = golden_.has("io.class_labels") ? golden_.use("io.class_labels") : Tensor()};
    const Tensor x = fourier_ ? sample * 2 - 1 : sample;
    const Tensor out = network_.forward(x, fourier_ ? t.log() : t, condition,
                                        [&](const std::string& part, const Tensor& y) { check_part(part, y); });
    return fourier_ ? out / t.reshape({-1, 1, 1, 1}) : out;
  }

  void check_part(std::string part, const Tensor& result) {
    if (!twin_.empty()) return;
    for (const auto& [ours, theirs] : {std::pair<std::string, std::string>{"noise_waves", "time_proj"},
                                       {"noise_embedding", "time_embedding"},
                                       {"down.", "down_blocks."},
                                       {"up.", "up_blocks."},
                                       {"mid", "mid_block"}})
      if (part.starts_with(ours)) part = theirs + part.substr(ours.size());
    if (!golden_.has("mid." + part)) return;
    if (part == "time_proj") return check_waves(result);
    golden_.check_max("mid." + part, result, tolerances_.out);
  }

  // The reference kept those of its last call: of the classes, where they are told by waves too.
  void check_waves(Tensor waves) {
    if (golden_.settings().at("config").value("class_embed_type", nlohmann::json()) == "timestep") {
      const Tensor labels = golden_.use("io.class_labels").to(dtype_);
      network_.forward(io("sample"), labels, {.labels = golden_.use("io.class_labels")},
                       [&](const std::string& part, const Tensor& y) { waves = part == "noise_waves" ? y : waves; });
    }
    golden_.check_max("mid.time_proj", in_order_of(golden_.use("mid.time_proj"), waves), tolerances_.out);
  }

  // Our waves in the order of theirs, to which the next layer's weight is converted: the nearest
  // column for each.
  static Tensor in_order_of(const Tensor& theirs, const Tensor& ours) {
    const Tensor distance = (theirs.unsqueeze(2) - ours.to(theirs.scalar_type()).unsqueeze(1)).abs().amax(0);
    return ours.index_select(1, distance.argmin(1));
  }

  void gradient_norms() {
    NamedTensors gradients;
    for (const auto& item : network_.named_parameters()) gradients.emplace_back(item.key(), item.value().grad());
    for (const auto& item : network_.named_buffers()) gradients.emplace_back(item.key(), at::zeros_like(item.value()));
    const auto theirs = diffusers_tensors(folder_, gradients);
    const auto names = golden_.names("gradnorm.");
    for (const auto& name : names) {
      const auto found = theirs.find(name.substr(9));
      require(found != theirs.end(), "no parameter for '{}'", name);
      const Tensor ours = found->second.to(at::kDouble).norm();
      // A key's bias moves all scores of a query alike, which softmax does not see: rounding is all
      // there is.
      if (name.ends_with(".to_k.bias")) {
        const Tensor weight = golden_.use(name.substr(0, name.size() - 4) + "weight"), reference = golden_.use(name);
        golden_.check(name + " is nothing beside its weight's",
                      (ours < 1e-5 * weight[0]).item<bool>() && (reference[0] < 1e-5 * weight[0]).item<bool>());
        continue;
      }
      golden_.check_each_of(name, ours, golden_.use(name)[twin_.empty() ? 0 : 1], tolerances_.norm);
    }
    golden_.check("a gradient norm for each parameter", names.size() + (fourier_ ? 1 : 0) == theirs.size());
  }

  Golden& golden_;
  fs::path folder_;
  at::ScalarType dtype_;
  std::string twin_;
  Tolerances tolerances_;
  Loaded loaded_;
  BlockUNet& network_;
  bool fourier_;
};

// The folder with another scheduler: DDIM with the settings of the one that is there, and others.
void write_with_ddim(const fs::path& from, const testing::TemporaryFolder& to, const nlohmann::json& overrides) {
  fs::copy(from, to.path() / "model", fs::copy_options::recursive);
  for (const auto& entry : fs::recursive_directory_iterator(from)) {
    if (entry.path().filename() != "scheduler_config.json") continue;
    nlohmann::json config = nlohmann::json::parse(std::ifstream(entry.path()));
    config["_class_name"] = "DDIMScheduler";
    config.erase("variance_type");  // DDPM's alone
    config.update(overrides);
    const fs::path target = to.path() / "model" / fs::relative(entry.path(), from);
    fs::remove(target);
    std::ofstream(target) << config.dump();
  }
}

void ddim_run(Golden& golden, const fs::path& folder, const std::string& name, at::ScalarType dtype) {
  const nlohmann::json& run = golden.settings().at("runs").at(name);
  const testing::TemporaryFolder temporary;
  write_with_ddim(folder, temporary, run.at("scheduler_overrides"));
  for (const auto& [key, value] : run.items())
    require(key == "eta" || key == "steps" || key == "scheduler_overrides" || key == "fp32_vs_fp64",
            "no counterpart here for the setting '{}'", key);
  Loaded model =
      loaded(temporary.path() / "model", dtype,
             {"sampling.grid.steps=" + run.at("steps").dump(), "sampling.sampler.eta=" + run.at("eta").dump()});
  const Sampling& sampling = model.experiment.sampling;
  std::vector<double> timesteps;
  for (const double t : sampling.grid.t) timesteps.push_back(t - 1);  // counted from 0 there
  golden.check_each(name + ".timesteps", timesteps, 1e-12);

  const Tensor latents = golden.use("latents").to(dtype);
  Condition condition;
  if (golden.has("io.class_labels")) condition.labels = golden.use("io.class_labels");
  testing::ReplayedNoise noise(golden.has(name + ".noise") ? golden.use(name + ".noise").to(dtype) : at::empty({0}));
  const at::NoGradGuard no_grad;
  const Tensor x = sampling.sampler(conditioned(model.experiment.model, condition), *sampling.schedule, sampling.grid,
                                    latents, noise);
  const Tolerances tolerances = tolerances_of(golden);
  const double tolerance = std::max(tolerances.run_factor * run.at("fp32_vs_fp64").get<double>(), tolerances.run_least);
  const std::string twin = dtype == at::kDouble ? ".fp64" : "";
  golden.check_max(name + ".final" + twin, x, tolerance);
  if (twin.empty() && golden.has(name + ".pipeline_images"))
    golden.check_max(name + ".pipeline_images", (x / 2 + 0.5).clamp(0, 1).permute({0, 2, 3, 1}), tolerance);
}

}  // namespace

TEST_CASE("networks of diffusers' model folders and their gradients equal the library's", "[checkpoints][golden]") {
  testing::for_each_golden({"diffusers_"}, [](Golden& golden) {
    const fs::path folder = testing::golden_folder() / golden.settings().at("folder").get<std::string>();
    Run(golden, folder, at::kDouble).outputs_and_gradients();
    testing::for_each_backend([&](const std::string& backend) {
      INFO("backend " << backend);
      Run(golden, folder, at::kFloat).outputs_and_gradients();
    });
    for (const auto& run : golden.settings().at("runs").items())
      for (const auto dtype : {at::kFloat, at::kDouble}) ddim_run(golden, folder, run.key(), dtype);
  });
}
