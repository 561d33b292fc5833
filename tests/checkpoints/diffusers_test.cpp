// Model folders of huggingface/diffusers: there and back bit for bit, and what is refused by name.
#include "edmund/app/config.h"
#include "edmund/checkpoints/foreign.h"
#include "edmund/checkpoints/outward.h"
#include "edmund/core/error.h"
#include "edmund/core/files.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "support/catch.h"
#include "support/temporary_folder.h"

#include <ATen/ATen.h>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

using namespace edmund;
using Catch::Matchers::ContainsSubstring;
namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// Small folders in each layout, of the project's own reference files.
fs::path folders() { return EDMUND_TEST_FOLDER "/golden/diffusers"; }
const std::string kUnet = "ddpm_cifar10_like";

Experiment made(const ForeignModel& model) {
  Experiment out = construct(parse(Options::read_text(model.config, "settings")), Needs::kModel);
  load_state(out.model.network(), model.weights, "weights");
  return out;
}

std::map<std::string, std::string> outward(const Experiment& experiment) {
  return outward_files("diffusers",
                       {.network = experiment.model.network(),
                        .weights = state_dict(experiment.model.network()),
                        .values = Options::read_text(experiment.config.options.resolved(), "all").flattened()});
}

// The folder with one of its JSON files changed.
class Changed {
 public:
  Changed(const std::string& name, const std::string& file, const std::function<void(json&)>& change) {
    fs::copy(folders() / name, path(), fs::copy_options::recursive);
    json content = json::parse(std::ifstream(path() / file));
    change(content);
    std::ofstream(path() / file) << content.dump();
  }
  fs::path path() const { return folder_.path() / "model"; }

 private:
  testing::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("a model goes from diffusers and back, and from here to diffusers and back, bit for bit", "[checkpoints]") {
  for (const auto& entry : fs::directory_iterator(folders())) {
    INFO(entry.path().filename());
    const ForeignModel model = read_foreign(entry.path());
    const testing::TemporaryFolder folder;
    const Experiment experiment = made(model);
    for (const auto& [path, bytes] : outward(experiment)) folder.write(path, bytes);
    const ForeignModel again = read_foreign(folder.path());
    REQUIRE(again.weights.size() == model.weights.size());
    for (std::size_t i = 0; i < again.weights.size(); ++i) {
      INFO(again.weights[i].first);
      CHECK(again.weights[i].first == model.weights[i].first);
      CHECK(again.weights[i].second.equal(model.weights[i].second));
    }
    const json before = json::parse(model.config), after = json::parse(again.config);
    for (const std::string key : {"image", "network", "preconditioning", "sampling"}) {
      INFO(key);
      CHECK(after.at(key) == before.at(key));
    }
  }
}

TEST_CASE("settings of diffusers that have no counterpart here are refused by name", "[checkpoints]") {
  const std::string net = "config.json", scheduler = "scheduler_config.json";
  const std::tuple<std::string, std::string, json, std::string> cases[] = {
      {net,
       "down_block_types",
       {"DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D", "DownBlock2D"},
       "'CrossAttnDownBlock2D' has no counterpart"},
      {net, "down_block_types", {"DownBlock2D"}, "of different lengths"},
      {net, "up_block_types", {"UpBlock2D", "DownBlock2D", "UpBlock2D", "UpBlock2D"}, "a block of the way down"},
      {net, "act_fn", "tanh", "act_fn: 'tanh'"},
      {net, "new_setting", 1, "'new_setting'"},
      {net, "block_out_channels", {16, 24, 24, 1000000000}, "block_out_channels: expected whole numbers"},
      {net, "block_out_channels", {16, 24, 24, 16000}, "16000 rows expected"},
      {net, "layers_per_block", 60, "is missing"},
      {net, "layers_per_block", "two", "layers_per_block: expected a whole number"},
      {net, "attention_head_dim", 7, "do not split into heads of 7"},
      {net, "out_channels", 5, "out_channels"},
      {net, "class_embed_type", "projection", "class_embed_type: 'projection'"},
      {net, "num_class_embeds", 10, "'class_embedding.weight' is missing"},
      {net, "norm_num_groups", nullptr, "norm_num_groups: null"},
      {net, "_class_name", "UNet2DConditionModel", "class 'UNet2DConditionModel' is not converted"},
      {scheduler, "_class_name", "PNDMScheduler", "'PNDMScheduler'"},
      {scheduler, "beta_schedule", "laplace", "beta_schedule: 'laplace'"},
      {scheduler, "trained_betas", {0.1, 0.2}, "trained_betas"},
      {scheduler, "variance_type", "learned_range", "'learned_range'"},
      {scheduler, "prediction_type", "flow", "'flow'"},
      {scheduler, "timestep_spacing", "random", "'random'"},
      {scheduler, "num_train_timesteps", -1, "num_train_timesteps"},
  };
  for (const auto& [file, key, value, message] : cases) {
    INFO(file << ": " << key << ": " << value);
    const Changed folder(kUnet, file, [&, &key_ = key, &value_ = value](json& content) { content[key_] = value_; });
    CHECK_THROWS_WITH(made(read_foreign(folder.path())), ContainsSubstring(message));
  }
}

TEST_CASE("each scheduler that is converted gives a way to sample", "[checkpoints]") {
  const std::string scheduler = "scheduler_config.json";
  const std::tuple<std::string, json, std::string> cases[] = {
      {"DDIMScheduler", {{"clip_sample", false}, {"timestep_spacing", "trailing"}}, "ddim"},
      {"DDIMScheduler", {{"set_alpha_to_one", false}, {"steps_offset", 1}}, "ddim"},
      {"EulerDiscreteScheduler", {{"timestep_spacing", "leading"}}, "ddim"},
      {"EulerAncestralDiscreteScheduler", json::object(), "euler_ancestral"},
      {"DPMSolverMultistepScheduler",
       {{"algorithm_type", "sde-dpmsolver++"}, {"solver_order", 2}},
       "dpm_solver_multistep"},
      {"DPMSolverMultistepScheduler", {{"final_sigmas_type", "sigma_min"}}, "dpm_solver_multistep"},
      {"UniPCMultistepScheduler", {{"timestep_spacing", "trailing"}}, "unipc"},
      {"EDMEulerScheduler", {{"sigma_data", 0.7}}, "euler"},
      {"FlowMatchEulerDiscreteScheduler", {{"shift", 3.0}}, "euler"},
      {"FlowMatchEulerDiscreteScheduler", {{"use_karras_sigmas", true}, {"shift", 0.5}}, "euler"},
      {"FlowMatchEulerDiscreteScheduler", {{"use_exponential_sigmas", true}, {"shift_terminal", 0.1}}, "euler"},
      {"FlowMatchEulerDiscreteScheduler", {{"stochastic_sampling", true}}, "ddim"},
      {"FlowMatchHeunDiscreteScheduler", json::object(), "heun"},
  };
  for (const auto& [name, settings, sampler] : cases) {
    INFO(name << " " << settings);
    const Changed folder(kUnet, scheduler, [&, &name_ = name, &settings_ = settings](json& content) {
      content = {{"_class_name", name_}};
      content.update(settings_);
    });
    const ForeignModel model = read_foreign(folder.path());
    CHECK(json::parse(model.config).at("sampling").at("sampler").at("type") == sampler);
    const Experiment experiment = made(model);
    CHECK(experiment.sampling.grid.t.size() >= 18);
  }
  // as Python writes it
  const Changed infinite(kUnet, scheduler, [](json& content) {
    content = {{"_class_name", "DPMSolverMultistepScheduler"}, {"lambda_min_clipped", "-Infinity"}};
  });
  const fs::path file = infinite.path() / scheduler;
  std::string bytes = read_file(file);
  bytes.replace(bytes.find("\"-Infinity\""), 11, "-Infinity");
  std::ofstream(file) << bytes;
  CHECK(made(read_foreign(infinite.path())).sampling.grid.t.size() == 50);
}

TEST_CASE("flow-matching schedulers go there and back, and say what has no counterpart", "[checkpoints]") {
  const std::string scheduler = "scheduler_config.json";
  const auto with = [&](json settings) {
    return Changed(kUnet, scheduler, [&](json& content) { content = std::move(settings); });
  };
  for (const json& settings :
       {json{{"_class_name", "FlowMatchEulerDiscreteScheduler"}, {"shift", 3.0}, {"shift_terminal", 0.1}},
        json{{"_class_name", "FlowMatchEulerDiscreteScheduler"}, {"stochastic_sampling", true}},
        json{{"_class_name", "FlowMatchHeunDiscreteScheduler"}, {"shift", 1.5}, {"num_train_timesteps", 500}}}) {
    INFO(settings);
    const Changed folder = with(settings);
    const ForeignModel model = read_foreign(folder.path());
    const Experiment experiment = made(model);
    CHECK(experiment.sampling.grid.t.front() > 1 - 1e-7);
    const json written = json::parse(outward(experiment).at("scheduler/scheduler_config.json"));
    for (const auto& [key, value] : settings.items()) CHECK(written.at(key) == value);
  }
  for (const auto& [key, value, message] :
       {std::tuple{"use_dynamic_shifting", json(true), "state a fixed shift"},
        std::tuple{"use_beta_sigmas", json(true), "use_beta_sigmas"}, std::tuple{"shift", json(-1), "shift"},
        std::tuple{"invert_sigmas", json(true), "invert_sigmas"}, std::tuple{"mu", json(1), "'mu'"}}) {
    INFO(key);
    const Changed folder = with({{"_class_name", "FlowMatchEulerDiscreteScheduler"}, {key, value}});
    CHECK_THROWS_WITH(read_foreign(folder.path()), ContainsSubstring(message));
  }
}

TEST_CASE("damaged folders are refused with the file and the reason", "[checkpoints]") {
  const auto changed = [](const std::string& name, const std::string& file, const std::string& bytes) {
    const testing::TemporaryFolder folder;
    fs::copy(folders() / name, folder.path() / "model", fs::copy_options::recursive);
    std::ofstream(folder.path() / "model" / file) << bytes;
    return [=, path = (folder.path() / "model").string()] { read_foreign(path); }();
  };
  const std::string sharded = "resnet_resample_scale_shift_sharded",
                    index = "unet/diffusion_pytorch_model.safetensors.index.json";
  CHECK_THROWS_WITH(changed(kUnet, "config.json", "{"), ContainsSubstring("config.json: is no JSON"));
  CHECK_THROWS_WITH(changed(kUnet, "config.json", "[1]"), ContainsSubstring("expected a JSON object"));
  CHECK_THROWS_WITH(changed(kUnet, "config.json", "{}"), ContainsSubstring("no model of a kind"));
  CHECK_THROWS_WITH(changed(sharded, index, R"({"weight_map": {"a": "../b"}})"), ContainsSubstring("lies elsewhere"));
  CHECK_THROWS_WITH(changed(sharded, index, R"({"weight_map": {"a": 3}})"), ContainsSubstring("expected a text"));
  CHECK_THROWS_WITH(changed(sharded, index, R"({"weight_map": {"a": "missing.safetensors"}})"),
                    ContainsSubstring("missing.safetensors"));
  CHECK_THROWS_WITH(changed(kUnet, "diffusion_pytorch_model.safetensors", "short"),
                    ContainsSubstring("diffusion_pytorch_model.safetensors"));
}

TEST_CASE("a network without its scheduler asks what it predicts", "[checkpoints]") {
  const fs::path alone = folders() / "class_embedding/unet";
  CHECK_THROWS_WITH(read_foreign(alone), ContainsSubstring("add preconditioning.type=…"));
  const std::vector<std::string> said{"preconditioning.type=eps"};
  CHECK(read_foreign(alone, "", said).weights.size() > 100);
}

TEST_CASE("a dit goes to diffusers and back bit for bit, its embeddings once in each block there", "[checkpoints]") {
  const auto with = [](const std::string& options) {
    return "{image: {channels: 4, height: 8, width: 8, classes: 3}, network: {type: dit, hidden_size: 24, depth: 2, "
           "heads: "
           "3, " +
           options +
           "}, preconditioning: {type: eps, noise_input: {type: index, schedule: {type: ddpm}}}, "
           "training: {images: 1}, sampling: {schedule: {type: ddpm}, grid: {type: native, steps: 50}, sampler: {type: "
           "ddim}, guidance: {weight: 4.0}}}";
  };
  Experiment experiment = construct(
      parse(Options::read_text(with("frequency_shift: 1, mlp_eps: 1e-5, learn_sigma: true"), "test")), Needs::kModel);
  experiment.model.network().initialize(4);
  const testing::TemporaryFolder folder;
  for (const auto& [path, bytes] : outward(experiment)) folder.write(path, bytes);
  CHECK(fs::exists(folder.path() / "transformer/config.json"));
  const ForeignModel again = read_foreign(folder.path());
  const Experiment back = made(again);
  const auto a = state_dict(experiment.model.network()), b = state_dict(back.model.network());
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    INFO(a[i].first);
    CHECK(a[i].second.equal(b[i].second));
  }
  CHECK(back.sampling.guidance == 4.0);
  const Experiment plain = construct(parse(Options::read_text(with("mlp_eps: 1e-6"), "test")), Needs::kModel);
  CHECK_THROWS_WITH(outward(plain), ContainsSubstring("network.frequency_shift: 0 has no counterpart"));
}

TEST_CASE("what is no UNet2DModel does not become one", "[checkpoints]") {
  const auto out = [](const std::string& network, const std::string& preconditioning) {
    const Experiment experiment =
        construct(parse(Options::read_text("{image: {channels: 1, height: 8, width: 8}, network: " + network +
                                               ", preconditioning: " + preconditioning + ", training: {images: 1}}",
                                           "test")),
                  Needs::kModel);
    return outward(experiment);
  };
  const std::string edm = "{type: edm}", blocks = "{type: block_unet, groups: 4, down: [{channels: 8}, {channels: 8";
  CHECK(out(blocks + "}]}", edm).size() == 4);
  CHECK_THROWS_WITH(out("{type: resnet, channels: 8}", edm), ContainsSubstring("'resnet' has no counterpart"));
  CHECK_THROWS_WITH(out(blocks + "}]}", "{type: flow}"), ContainsSubstring("has no scheduler in diffusers"));
  CHECK_THROWS_WITH(out(blocks + "}]}", "{type: flow, towards: data, noise_input: {type: flow, scale: 1000}}"),
                    ContainsSubstring("run towards the noise"));
  CHECK_THROWS_WITH(out(blocks + "}]}", "{type: flow, noise_input: flow}"), ContainsSubstring("no number of steps"));
  CHECK_THROWS_WITH(out(blocks + ", layers: 3}]}", edm), ContainsSubstring("block down 1 has no counterpart"));
  CHECK_THROWS_WITH(out(blocks + ", scale: 0.5}]}", edm), ContainsSubstring("has no counterpart"));
  CHECK_THROWS_WITH(
      outward_files("diffuser",
                    {.network = made(read_foreign(folders() / kUnet)).model.network(), .weights = {}, .values = {}}),
      ContainsSubstring("did you mean 'diffusers'"));
}
