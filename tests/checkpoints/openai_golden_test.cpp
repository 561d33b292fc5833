// Weights of OpenAI's UNetModel: our network's output and theirs, and what their sampler takes from
// it: mean and variance of a step of the chain, on all steps or some.
#include "edmund/app/config.h"
#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "edmund/io/tensor_file.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "edmund/samplers/posterior.h"
#include "edmund/samplers/sampler.h"
#include "support/catch.h"
#include "support/golden.h"
#include "support/temporary_folder.h"
#include "support/wrappers.h"

#include <algorithm>
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <cmath>

using namespace edmund;
using testing::Golden;

namespace {

class ZeroNoise : public NoiseSource {
 public:
  Tensor normal(at::IntArrayRef shape) override {
    std::vector<std::int64_t> all{1};
    all.insert(all.end(), shape.begin(), shape.end());
    return at::zeros(all, at::kFloat);
  }
};

// The flags that weights do not tell; what the other settings say is found from the weights.
std::vector<std::string> stated(const nlohmann::json& settings) {
  std::vector<std::string> out{"use_new_attention_order=false"};
  const std::vector<std::string> flags{
      "image_size",     "num_heads",       "num_head_channels", "use_new_attention_order",
      "noise_schedule", "diffusion_steps", "rescale_timesteps"};
  const std::vector<std::string> found{
      "attention_resolutions", "channel_mult", "conv_resample",  "file",         "file_bytes",     "in_channels",
      "learn_sigma",           "num_classes",  "model_channels", "out_channels", "num_res_blocks", "resblock_updown",
      "use_scale_shift_norm",  "class_cond",   "dropout",        "num_channels"};
  for (const auto& [key, value] : settings.items()) {
    if (std::ranges::find(found, key) != found.end()) continue;
    require(std::ranges::find(flags, key) != flags.end(), "no option here for the setting '{}'", key);
    if (key == "use_new_attention_order") out.clear();
  }
  for (const auto& key : flags)
    if (settings.contains(key))
      out.push_back(key + "=" +
                    (settings.at(key).is_string() ? settings.at(key).get<std::string>() : settings.at(key).dump()));
  return out;
}

// Sums and norms of the file's tensors under their own names, and that we took all of them.
void check_tensors(Golden& golden, const std::filesystem::path& path, const NamedTensors& weights) {
  const PickleFile pickle(path);
  const auto names = golden.names("tensorsum.");
  for (const auto& name : names) {
    const PickleValue* value = pickle.root().find(name.substr(10));
    golden.check(name + " is there", value != nullptr);
    if (value == nullptr) continue;
    const Tensor wide = pickle.tensor(*value, name).to(at::kDouble);
    golden.check_max(name, at::stack({wide.sum(), wide.norm()}), 1e-12);
  }
  golden.check("no other tensors", names.size() == pickle.root().items.size() / 2);
  const auto own =
      std::ranges::count_if(weights, [](const auto& weight) { return !weight.first.ends_with(".resample_filter"); });
  golden.check("all tensors were taken", own == std::ssize(names));
}

// One spacing of the chain: full1000, respaced10, ddim8 …
class Chain {
 public:
  Chain(Golden& golden, Experiment& experiment, std::string name, double tolerance)
      : golden_(golden),
        model_(experiment.model),
        schedule_(*experiment.sampling.schedule),
        name_(std::move(name)),
        tolerance_(tolerance),
        used_(golden.reals(name_ + ".use_timesteps")) {}

  void check() {
    check_steps();
    const Tensor x = golden_.use("io.x");
    Condition condition;
    if (golden_.has("io.y")) condition.labels = golden_.use("io.y");
    std::vector<std::size_t> at;
    std::vector<double> sigmas, steps;
    for (const double t : golden_.reals(name_ + ".t")) {
      at.push_back(static_cast<std::size_t>(t));
      steps.push_back(used_.at(at.back()));
      sigmas.push_back(sigma(at.back()));
    }
    const Tensor F = model_.network().forward(x, at::tensor(steps, at::kFloat), condition);
    check_variance(at, F);
    const Tensor level = at::tensor(sigmas, at::kDouble),
                 z = (x.to(at::kDouble) * (1 + level.square()).sqrt().reshape({-1, 1, 1, 1})).to(at::kFloat);
    const Tensor D = model_.denoise(z, level.to(at::kFloat), condition);
    for (const bool clips : {false, true}) {
      const std::string prefix = name_ + (clips ? ".clip1." : ".clip0.");
      const Tensor x0 = clips ? D.clamp(-1, 1) : D;
      // Cut or not, the rounding of float32 is that of what was cut: 1/√ᾱ times the network's.
      const Tensor reference = golden_.use(prefix + "pred_xstart");
      const double size = golden_.use(name_ + ".clip0.pred_xstart").abs().max().item<double>();
      golden_.check_max_of(prefix + "pred_xstart", x0, reference,
                           tolerance_ * size / reference.abs().max().item<double>());
      std::vector<Tensor> means;
      for (std::size_t i = 0; i < at.size(); ++i) {
        const auto image = static_cast<std::int64_t>(i);
        means.push_back(mean(x.narrow(0, image, 1), x0.narrow(0, image, 1), at[i]));
      }
      golden_.check_max(prefix + "mean", at::cat(means), tolerance_);
    }
  }

 private:
  double sigma(std::size_t i) const { return schedule_.levels().at(static_cast<std::size_t>(used_.at(i))); }
  double time(std::size_t i) const { return schedule_.time(sigma(i)); }

  // The steps as our grid chooses them, and their β.
  void check_steps() {
    const std::size_t digits = name_.find_first_of("0123456789");
    const auto count = digits == std::string::npos ? std::nullopt : parse_integer(name_.substr(digits));
    if (count) {
      const bool even = name_.starts_with("respaced");
      Options options =
          testing::options_of({{"type", "native"}, {"steps", *count}, {"spacing", even ? "linspace" : "leading"}});
      std::vector<double> ours;
      for (const double t : make_grid(options, schedule_).t) ours.insert(ours.begin(), std::round(t) - 1);
      golden_.check_each(name_ + ".use_timesteps", ours, 0.0);
    }
    if (!golden_.has(name_ + ".betas")) return;
    std::vector<double> betas;
    for (std::size_t i = 0; i < used_.size(); ++i) betas.push_back(beta(i));
    golden_.check_each(name_ + ".betas", betas, 1e-10);
  }

  double beta(std::size_t i) const { return std::pow(transition_std(schedule_, time(i), i > 0 ? sigma(i - 1) : 0), 2); }
  // Variance of the posterior; of the first step that of the second.
  double posterior(std::size_t i) const {
    const std::size_t step = std::max<std::size_t>(i, 1);
    return std::pow(schedule_.scale(time(step - 1)) * ancestral_step(sigma(step), sigma(step - 1), 1.0).up, 2);
  }

  // Nichol & Dhariwal 2021, eq. 15, if the network has learned it; else β, but for the first step.
  void check_variance(const std::vector<std::size_t>& steps, const Tensor& F) {
    const std::int64_t C = golden_.use("io.x").size(1);
    std::vector<Tensor> logs;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const double low = std::log(posterior(steps[i])), high = std::log(beta(steps[i]));
      if (F.size(1) == C) {
        logs.push_back(at::full({1, 1, 1, 1}, steps[i] == 0 ? low : high, at::kDouble));
        continue;
      }
      const Tensor share = (F.narrow(0, static_cast<std::int64_t>(i), 1).narrow(1, C, C).to(at::kDouble) + 1) / 2;
      logs.push_back(share * high + (1 - share) * low);
    }
    const Tensor log_variance = at::cat(logs);
    for (const std::string clip : {".clip0.", ".clip1."}) {
      golden_.check_max(name_ + clip + "log_variance", log_variance, tolerance_);
      golden_.check_max(name_ + clip + "variance", log_variance.exp(), tolerance_);
    }
  }

  // Of x after one step of our chain, if D answers x0.
  Tensor mean(const Tensor& x, const Tensor& x0, std::size_t i) const {
    TimeGrid grid{.t = {time(i)}};
    if (i > 0) grid.t.push_back(time(i - 1));
    Options options = testing::options_of({{"type", "ancestral"}, {"final", i > 0 ? "none" : "denoise"}});
    ZeroNoise noise;
    return make_sampler(options)([&](const Tensor&, double) { return x0; }, schedule_, grid, x, noise);
  }

  Golden& golden_;
  const DenoisingModel& model_;
  const NoiseSchedule& schedule_;
  std::string name_;
  double tolerance_;
  std::vector<double> used_;
};

void check_output(Golden& golden, Network& network, at::ScalarType dtype, const std::string& name, double tolerance) {
  network.to(dtype);
  Condition condition;
  if (golden.has("io.y")) condition.labels = golden.use("io.y");
  golden.check_max(name, network.forward(golden.use("io.x").to(dtype), golden.use("io.timesteps").to(dtype), condition),
                   tolerance);
}

}  // namespace

TEST_CASE("weights of guided-diffusion give what its own code gives", "[checkpoints][golden]") {
  testing::for_each_golden({"checkpoint_guided_diffusion_"}, [](Golden& golden) {
    const auto path = testing::golden_folder() / golden.settings().at("file");
    const ForeignModel model = read_foreign(path, "guided_diffusion", stated(golden.settings()));
    check_tensors(golden, path, model.weights);
    Experiment experiment = construct(parse(Options::read_text(model.config, "settings")), Needs::kModel);
    Network& network = experiment.model.network();
    load_state(network, model.weights, golden.name());
    network.eval();
    const at::NoGradGuard no_grad;
    const double tolerance = testing::number_in(golden.about().at("tolerance"), R"(max\|ref\| <= ([0-9.e-]+))");
    check_output(golden, network, at::kDouble, "out.fp64", 1e-6);
    check_output(golden, network, at::kFloat, "out", tolerance);
    for (const auto& name : golden.names())
      if (name.ends_with(".use_timesteps"))
        Chain(golden, experiment, name.substr(0, name.rfind('.')), tolerance).check();
  });
}

TEST_CASE("what weights of OpenAI's networks do not tell is asked for by name", "[checkpoints]") {
  const auto path = std::filesystem::path(EDMUND_TEST_FOLDER) / "golden/checkpoints/guided_new_order_class.pt";
  const auto read = [&](const std::string& kind, const std::vector<std::string>& settings) {
    return read_foreign(path, kind, settings);
  };
  const auto says = [](const std::string& part) { return Catch::Matchers::ContainsSubstring(part); };
  CHECK_THROWS_WITH(read("", {}), says("--from guided_diffusion or --from improved_diffusion"));
  std::vector<std::string> settings;
  const std::pair<std::string, std::string> needed[] = {{"image_size=8", "image_size=PIXELS"},
                                                        {"num_head_channels=16", "num_head_channels=C"},
                                                        {"use_new_attention_order=True", "=true or =false"},
                                                        {"noise_schedule=cosine", "noise_schedule=linear or =cosine"}};
  for (const auto& [setting, expected] : needed) {
    CHECK_THROWS_WITH(read("guided_diffusion", settings), says(expected));
    settings.push_back(setting);
  }
  const ForeignModel model = read("guided_diffusion", settings);
  CHECK(model.about.find("diffusion_steps 1000") != std::string::npos);
  CHECK(model.config.find("\"cosine\"") != std::string::npos);
  CHECK(model.overlay.empty());
  const auto other = read("consistency_models", {"image_size=8", "num_heads=2", "noise_schedule=cosine"}).overlay;
  // no flag of that project: the config refuses it
  CHECK(other == std::vector<std::string>{"noise_schedule=cosine"});
  settings.push_back("num_heads=2");
  CHECK_THROWS_WITH(read("guided_diffusion", settings), says("give one of them"));
  settings = {"image_size=9", "num_heads=2"};
  CHECK_THROWS_WITH(read("guided_diffusion", settings), says("expected multiples of 2"));
  settings = {"image_size=8", "num_heads=5", "noise_schedule=linear", "use_new_attention_order=true"};
  CHECK_THROWS_WITH(read("guided_diffusion", settings), says("does not split into 5 heads"));
}

TEST_CASE("improved-diffusion's steps are rescaled, and rectangular images are stated", "[checkpoints]") {
  const auto path = std::filesystem::path(EDMUND_TEST_FOLDER) / "golden/checkpoints/guided_legacy_uncond.pt";
  const std::vector<std::string> settings{"image_size=8x16", "num_heads=2", "noise_schedule=linear",
                                          "diffusion_steps=4000"};
  const ForeignModel model = read_foreign(path, "improved_diffusion", settings);
  Experiment experiment = construct(parse(Options::read_text(model.config, "settings")), Needs::kModel);
  load_state(experiment.model.network(), model.weights, "weights");
  CHECK(experiment.shape.image.width == 16);
  const double top = experiment.sampling.schedule->levels().back();
  const Tensor noise = experiment.model.preconditioning().edm(at::full({1}, top, at::kDouble)).noise;
  CHECK(noise.item<double>() == 3999 * 0.25);
}

TEST_CASE("weights of consistency_models become a consistency function of real labels", "[checkpoints]") {
  const auto from = std::filesystem::path(EDMUND_TEST_FOLDER) / "golden/checkpoints/guided_legacy_uncond.pt";
  const PickleFile pickle(from);
  std::vector<std::pair<std::string, Tensor>> weights;
  const auto& items = pickle.root().items;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2)
    weights.emplace_back(items[i]->text, pickle.tensor(*items[i + 1], items[i]->text).contiguous());
  const auto layer = [&](const std::string& name, at::IntArrayRef shape) {
    weights.emplace_back(name + ".weight", at::sin(at::arange(shape[0] * shape[1], at::kFloat)).reshape(shape));
    weights.emplace_back(name + ".bias", at::cos(at::arange(shape[0], at::kFloat)) * 0.1);
  };
  layer("label_emb.0", {128, 1}), layer("label_emb.2", {128, 128});
  const testing::TemporaryFolder folder;
  const auto path = folder.path() / "weights.safetensors";
  write_file(path, tensor_bytes(weights, {{"layout", "openai/consistency_models UNetModel"}}));

  const std::vector<std::string> settings{"image_size=8", "num_heads=2"};
  const ForeignModel model = read_foreign(path, "", settings);
  CHECK(model.kind == "consistency_models");
  Experiment experiment = construct(parse(Options::read_text(model.config, "settings")), Needs::kModel);
  load_state(experiment.model.network(), model.weights, "weights");
  CHECK(experiment.shape.num_classes == 1);
  CHECK(experiment.sampling.clip.has_value());
  const at::NoGradGuard no_grad;
  const Tensor z = at::sin(at::arange(2 * 3 * 8 * 8, at::kFloat)).reshape({2, 3, 8, 8}) * 2,
               label = at::tensor({0.2F, 0.9F}).unsqueeze(1);
  const auto D = [&](double sigma, const Tensor& labels) {
    return experiment.model.denoise(z, at::full({2}, sigma, at::kFloat), {.labels = labels});
  };
  // D = z at σ_min; at σ = 3, Song et al. 2023, appendix C, on the network that is told 250·ln σ.
  CHECK((D(0.002, label) - z).abs().max().item<double>() < 1e-6);
  const double sigma = 3, above = sigma - 0.002, r = std::sqrt(sigma * sigma + 0.25);
  const Tensor told = at::full({2}, 250 * std::log(sigma), at::kFloat);
  const Tensor F = experiment.model.network().forward((z / r).to(at::kFloat), told, {.labels = label});
  const Tensor expected = 0.25 / (above * above + 0.25) * z + 0.5 * above / r * F;
  CHECK((D(sigma, label) - expected).abs().max().item<double>() < 1e-5 * expected.abs().max().item<double>());
  CHECK((D(sigma, label) - D(sigma, {})).abs().max().item<double>() > 1e-6);
}
