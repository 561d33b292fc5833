// dit, sit — checkpoints of facebookresearch/DiT and willisma/SiT (.pt): {model, ema, opt, args} as
// their train.py saves it, or a bare state_dict, as published.
//
// Our network `dit` names its weights as both do. Sizes are those of the tensors; the heads of the
// attention leave no trace in them: published sizes have theirs, for others network.heads=N must be
// said. The rows of labels are read as classes and one for "no class", as published;
// image.classes=N says otherwise. Nothing but args tells DiT from SiT: a bare file needs --from.
//
//   dit   ε, told the index of the step, 1000 linear betas; the second half of the channels is the
//         variance that they learn. Sampled as their sample.py: 250 of the steps, guidance 4.
//   sit   velocity from noise to data, told the time, 0 at noise (Ma et al. 2024), on straight
//         paths (Linear), or on those of the cosine schedule (GVP), where it is -π/2 of v. The path
//         is that of args; of a bare file Linear, unless path_type=GVP says otherwise. Sampled as
//         their sample.py: the ODE by an adaptive method, guidance 4.
//
// Images are latents of an autoencoder, 4 channels, times 0.18215.
#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "module_tree.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>
#include <optional>
#include <utility>

namespace edmund {
namespace {

using nlohmann::ordered_json;
using Kind = PickleValue::Kind;

const std::string kMark = "x_embedder.proj.weight";

// Published sizes (Peebles & Xie 2023, table 1).
struct Size {
  std::int64_t width, depth, heads;
};
constexpr Size kSizes[] = {{384, 12, 6}, {768, 12, 12}, {1024, 24, 16}, {1152, 28, 16}};

struct States {
  const PickleValue *averaged = nullptr, *raw = nullptr, *args = nullptr;
};

States states_of(const ForeignFile& file) {
  if (!file.pickle) return {};
  const PickleValue& root = file.pickle->root();
  if (is_state(&root, kMark)) return {.averaged = &root};
  States out{.averaged = root.find("ema"), .raw = root.find("model"), .args = root.find("args")};
  if (!is_state(out.raw, kMark)) out.raw = nullptr;
  if (!is_state(out.averaged, kMark)) out.averaged = std::exchange(out.raw, nullptr);
  return out;
}

// "DiT" or "SiT" of the training's model name, "" if it is not told.
std::string_view told_name(const States& states) {
  const PickleValue* model = states.args ? states.args->find("model") : nullptr;
  return model && model->kind == Kind::kText ? model->text.substr(0, 4) : "";
}

class Shapes {
 public:
  Shapes(const NamedTensors& tensors, const std::string& file)
      : tensors_(tensors.begin(), tensors.end()), file_(file) {}

  bool has(const std::string& name) const { return tensors_.contains(name); }
  std::int64_t size(const std::string& name, std::size_t dimension, std::size_t dimensions) const {
    require(has(name), "{}: tensor {} is missing", file_, name);
    const auto sizes = tensors_.at(name).sizes();
    require(sizes.size() == dimensions && sizes[dimension] > 0, "{}: tensor {} has {} dimensions, expected {}", file_,
            name, sizes.size(), dimensions);
    return sizes[dimension];
  }

 private:
  const std::map<std::string, Tensor> tensors_;
  const std::string& file_;
};

std::optional<std::int64_t> said_integer(const ForeignFile& file, const std::string& key) {
  const auto found = file.said.find(key);
  return found == file.said.end() ? std::nullopt : parse_integer(found->second);
}

// Fills image and network, and what the tensors do not tell.
void describe(ordered_json& config, ForeignModel& out, const ForeignFile& source, const States& states) {
  const std::string file = source.path.string();
  const Shapes shapes(out.weights, file);
  const std::int64_t width = shapes.size(kMark, 0, 4), channels = shapes.size(kMark, 1, 4),
                     patch = shapes.size(kMark, 2, 4), tokens = shapes.size("pos_embed", 1, 3),
                     hidden = shapes.size("blocks.0.mlp.fc1.weight", 0, 2),
                     pixels = shapes.size("final_layer.linear.weight", 0, 2);
  std::int64_t depth = 0;
  while (shapes.has(format("blocks.{}.attn.qkv.weight", depth))) ++depth;

  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(tokens))));
  config["image"]["channels"] = channels;
  if (side * side == tokens) {
    config["image"]["height"] = config["image"]["width"] = side * patch;
  } else {
    out.unsaid.push_back({"image.height", format("of {} patches of {}×{}", tokens, patch, patch)});
    out.unsaid.push_back({"image.width", "likewise"});
  }
  auto& network = config["network"] = {{"type", "dit"}, {"patch", patch}, {"hidden_size", width}, {"depth", depth}};
  const auto* published =
      std::ranges::find_if(kSizes, [&](const Size& size) { return size.width == width && size.depth == depth; });
  if (published != std::end(kSizes))
    network["heads"] = published->heads;
  else
    out.unsaid.push_back({"network.heads", "of its attention, which leave no trace in the weights"});
  // half a channel more, so that rounding down gives just as many
  network["mlp_ratio"] = hidden % width == 0 ? static_cast<double>(hidden / width)
                                             : (static_cast<double>(hidden) + 0.5) / static_cast<double>(width);
  network["learn_sigma"] = pixels == 2 * patch * patch * channels;
  if (!shapes.has("y_embedder.embedding_table.weight")) return;

  const std::int64_t rows = shapes.size("y_embedder.embedding_table.weight", 0, 2);
  const PickleValue* told = states.args ? states.args->find("num_classes") : nullptr;
  std::int64_t classes = told && told->kind == Kind::kInteger ? told->integer : rows - 1;
  classes = said_integer(source, "image.classes").value_or(classes);
  config["image"]["classes"] = classes;
  network["null_class"] = rows == classes + 1;
  out.about += format(", {} classes{}", classes, rows == classes + 1 ? " and one for none" : "");
}

// Of "0050000.pt", steps, with the size of a batch in args; something may stand before the digits.
std::int64_t images_of(const ForeignFile& file, const States& states) {
  const PickleValue* batch = states.args ? states.args->find("global_batch_size") : nullptr;
  const std::string stem = file.path.stem().string();
  const auto steps = parse_integer(stem.substr(stem.find_last_not_of("0123456789") + 1));
  const bool both = batch && batch->kind == Kind::kInteger && batch->integer > 0 && batch->integer < (1 << 24) &&
                    steps && *steps >= 0 && *steps < (std::int64_t{1} << 32);
  return both ? *steps * batch->integer : 0;
}

ForeignModel read(const ForeignFile& source, const ordered_json& preconditioning, ordered_json sampling) {
  const std::string file = source.path.string();
  const States states = states_of(source);
  ForeignModel out{.weights = state_tensors(*source.pickle, *states.averaged, file)};
  if (states.raw) out.raw = state_tensors(*source.pickle, *states.raw, file);
  const bool is_average = source.pickle->root().find("ema") == states.averaged;
  out.about = is_average ? "averaged weights (ema)" : "a bare state_dict, which does not tell whether it is averaged";
  out.images = images_of(source, states);
  ordered_json config = {{"name", as_utf8(source.path.stem().string())}};
  describe(config, out, source, states);
  config["preconditioning"] = preconditioning;
  // a config states how long its run is; this one is at its end, or that is not known
  config["training"] = {{"images", std::max<std::int64_t>(out.images, 1)}};
  if (config["network"].value("null_class", false)) sampling["guidance"] = {{"weight", 4}};
  config["sampling"] = std::move(sampling);
  out.config = config.dump();
  return out;
}

}  // namespace

bool is_dit(const ForeignFile& file) {
  const States states = states_of(file);
  return states.averaged && told_name(states) != "SiT-";
}

bool is_sit(const ForeignFile& file) {
  const States states = states_of(file);
  return states.averaged && told_name(states) != "DiT-";
}

ForeignModel read_dit(const ForeignFile& file) {
  const ordered_json betas = {{"type", "ddpm"}};
  return read(file, {{"type", "eps"}, {"noise_input", {{"type", "index"}, {"schedule", betas}}}},
              {{"schedule", betas},
               {"grid", {{"type", "native"}, {"spacing", "linspace"}, {"steps", 250}}},
               {"sampler", {{"type", "ancestral"}}}});
}

ForeignModel read_sit(const ForeignFile& file) {
  const States states = states_of(file);
  const auto told = [&](std::string_view key, std::string_view usual) {
    const PickleValue* value = states.args ? states.args->find(key) : nullptr;
    return value ? std::string(value->text) : std::string(usual);
  };
  const std::string prediction = told("prediction", "velocity");
  require(prediction == "velocity", "{}: prediction {} is not converted, velocity is", file.path.string(),
          in_quotes(prediction));
  constexpr std::string_view kPaths[] = {"Linear", "GVP"};
  const std::string path = file.settings->choice("path_type", kPaths).value_or(told("path_type", "Linear"));
  require(std::ranges::find(kPaths, path) != std::end(kPaths), "{}: path_type {} is not converted, Linear and GVP are",
          file.path.string(), in_quotes(path));
  const std::string clock = path == "GVP" ? "cosine" : "flow";
  ordered_json target = {{"type", "flow"}, {"towards", "data"}};
  if (path == "GVP") target = {{"type", "v"}, {"factor", -std::numbers::pi / 2}};
  target["noise_input"] = {{"type", clock}, {"reversed", true}};
  return read(file, target,
              {{"schedule", {{"type", clock}}},
               {"grid", {{"type", "uniform"}, {"steps", 2}}},
               {"sampler", {{"type", "rk45"}, {"rtol", 1e-3}, {"atol", 1e-6}}}});
}

}  // namespace edmund
