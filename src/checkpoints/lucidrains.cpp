// lucidrains — model-N.pt of denoising-diffusion-pytorch: {step, model, opt, ema, scaler, version}
// of a Unet in a GaussianDiffusion.
//
// Our network `lucidrains` names its weights as their Unet does, and its sizes are those of the
// tensors. What the network predicts and on which betas is told by the tables that lie beside it:
// loss_weight is 1, SNR or SNR/(SNR + 1) for ε, x0 and v, where it is not clipped (Hang et al.
// 2023), and alphas_cumprod is that of linear, cosine or sigmoid betas. The size of the images is
// not told: image.height and image.width must be said. Sampled as theirs: all steps of Ho et al.
// (2020), D clipped.
#include "edmund/checkpoints/foreign.h"
#include "edmund/core/error.h"
#include "edmund/core/text.h"
#include "module_tree.h"

#include <algorithm>
#include <ATen/core/Tensor.h>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numbers>
#include <utility>
#include <vector>

namespace edmund {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kNetwork = "model.", kAverage = "ema_model.";

std::vector<double> numbers(const std::map<std::string, Tensor>& state, const std::string& name,
                            const std::string& file) {
  const auto found = state.find(name);
  require(found != state.end() && found->second.dim() == 1 && found->second.numel() > 1 &&
              found->second.is_floating_point(),
          "{}: no table {}", file, name);
  const Tensor wide = found->second.to(at::kDouble).contiguous();
  return {wide.const_data_ptr<double>(), wide.const_data_ptr<double>() + wide.numel()};
}

// ᾱ of the betas that are converted, from the values that they are computed by.
std::vector<double> alpha_bars(std::string_view kind, std::size_t N) {
  const auto n = static_cast<double>(N);
  const auto logistic = [](double x) { return 1 / (1 + std::exp(-x)); };
  const auto root = [&](double t) { return std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2); };
  const auto whole = [&](std::size_t i) {
    const double t = static_cast<double>(i) / n;
    return kind == "cosine" ? root(t) * root(t) : logistic(3) - logistic(6 * t - 3);
  };
  std::vector<double> out;
  double product = 1.0;
  for (std::size_t i = 0; i < N; ++i) {
    const double linear = 1000 / n * (1e-4 + (0.02 - 1e-4) * static_cast<double>(i) / (n - 1));
    product *= 1 - (kind == "linear" ? linear : std::clamp(1 - whole(i + 1) / whole(i), 0.0, 0.999));
    out.push_back(product);
  }
  return out;
}

std::string betas_of(const std::vector<double>& alpha_bar, const std::string& file) {
  for (const auto& [theirs, ours] :
       {std::pair("linear", "linear"), std::pair("cosine", "cosine"), std::pair("sigmoid", "sigmoid_alpha_bar")}) {
    const std::vector<double> known = alpha_bars(theirs, alpha_bar.size());
    const auto near = [](double a, double b) { return std::abs(a - b) <= 1e-4 * std::abs(b) + 1e-9; };
    if (std::ranges::equal(alpha_bar, known, near)) return ours;
  }
  fail("{}: its betas are none of linear, cosine and sigmoid, which are converted", file);
}

// Where the SNR is about a half, no clipping reaches.
std::string objective_of(const std::vector<double>& alpha_bar, const std::vector<double>& weight,
                         const std::string& file) {
  require(alpha_bar.size() == weight.size(), "{}: tables of {} and {} steps", file, alpha_bar.size(), weight.size());
  const auto snr = [](double a) { return a / (1 - a); };
  const auto at = static_cast<std::size_t>(
      std::ranges::min_element(alpha_bar, {},
                               [&](double a) { return std::abs(std::log(std::max(snr(a), 1e-30) / 0.5)); }) -
      alpha_bar.begin());
  const double found = snr(alpha_bar[at]);
  for (const auto& [type, expected] :
       {std::pair("eps", 1.0), std::pair("x0", found), std::pair("v", found / (found + 1))})
    if (std::abs(weight[at] - expected) < 1e-3 * expected) return type;
  fail("{}: its loss_weight is that of no prediction that is converted: ε, x0, v", file);
}

class Shapes {
 public:
  Shapes(const NamedTensors& tensors, const std::string& file)
      : tensors_(tensors.begin(), tensors.end()), file_(file) {}

  bool has(const std::string& name) const { return tensors_.contains(name); }
  std::int64_t size(const std::string& name, std::size_t dimension) const {
    require(has(name), "{}: tensor {} is missing", file_, name);
    const auto sizes = tensors_.at(name).sizes();
    require(dimension < sizes.size() && sizes[dimension] > 0, "{}: tensor {} has too few dimensions", file_, name);
    return sizes[dimension];
  }

 private:
  const std::map<std::string, Tensor> tensors_;
  const std::string& file_;
};

void describe(ordered_json& config, const NamedTensors& weights, const std::string& file) {
  const Shapes shapes(weights, file);
  const std::int64_t in = shapes.size("init_conv.weight", 1), out = shapes.size("final_conv.weight", 0),
                     embedding = shapes.size("time_mlp.3.weight", 0), channels = embedding / 4;
  require(in != 2 * out, "{}: a network that sees its own prediction (self_condition) is not converted", file);
  require(embedding % 4 == 0 && (out == in || out == 2 * in), "{}: {} channels in, {} out, {} of the embedding", file,
          in, out, embedding);
  std::vector<std::int64_t> multipliers, full, heads, head_channels;
  const auto down = [](std::size_t level, const std::string& part) { return format("downs.{}.{}", level, part); };
  for (std::size_t i = 0; shapes.has(down(i, "2.mem_kv")) && i < 64; ++i) {
    const bool last = !shapes.has(down(i + 1, "2.mem_kv"));
    const std::int64_t width = shapes.size(down(i, last ? "3.weight" : "3.1.weight"), 0);
    require(width % channels == 0, "{}: {} channels are no multiple of {}", file, width, channels);
    multipliers.push_back(width / channels);
    full.push_back(shapes.has(down(i, "2.to_out.weight")) ? 1 : 0);
    heads.push_back(shapes.size(down(i, "2.mem_kv"), 1));
    head_channels.push_back(shapes.size(down(i, "2.mem_kv"), full.back() != 0 ? 3 : 2));
  }
  require(!multipliers.empty(), "{}: no resolutions", file);
  const bool fourier = shapes.has("time_mlp.0.weights");
  config["image"] = {{"channels", in}};
  config["network"] = {{"type", "lucidrains"},
                       {"channels", channels},
                       {"first", shapes.size("init_conv.weight", 0)},
                       {"multipliers", multipliers},
                       {"full_attention", full},
                       {"heads", heads},
                       {"head_channels", head_channels},
                       {"memory", shapes.size("downs.0.2.mem_kv", full.front() != 0 ? 2 : 3)},
                       {"embedding", fourier ? "fourier" : "positional"}};
  if (fourier) config["network"]["frequencies"] = shapes.size("time_mlp.0.weights", 0);
  if (out == 2 * in) config["network"]["learned_variance"] = true;
}

// Those below a prefix, without it.
NamedTensors below(const NamedTensors& state, const std::string& prefix) {
  NamedTensors out;
  for (const auto& [name, tensor] : state)
    if (name.starts_with(prefix)) out.emplace_back(name.substr(prefix.size()), tensor);
  return out;
}

}  // namespace

bool is_lucidrains(const ForeignFile& file) {
  return file.pickle && is_state(file.pickle->root().find("model"), "model.init_conv.weight");
}

ForeignModel read_lucidrains(const ForeignFile& source) {
  const std::string file = source.path.string();
  const PickleValue& root = source.pickle->root();
  const NamedTensors state = state_tensors(*source.pickle, *root.find("model"), file);
  const PickleValue* ema = root.find("ema");
  const NamedTensors raw = below(state, std::string(kNetwork));
  ForeignModel out{.weights = raw, .about = "Unet, weights that are no average"};
  if (is_state(ema, "ema_model.model.init_conv.weight")) {
    out.weights = below(state_tensors(*source.pickle, *ema, file), std::string(kAverage) + std::string(kNetwork));
    out.raw = raw;
    out.about = "Unet, averaged weights (ema)";
  }
  const std::map<std::string, Tensor> tables(state.begin(), state.end());
  const auto alpha_bar = numbers(tables, "alphas_cumprod", file);
  const std::string objective = objective_of(alpha_bar, numbers(tables, "loss_weight", file), file);
  const ordered_json schedule = {{"type", "ddpm"}, {"betas", betas_of(alpha_bar, file)}, {"N", alpha_bar.size()}};
  out.about += ", predicts " + objective;
  ordered_json config = {{"name", as_utf8(source.path.stem().string())}};
  describe(config, out.weights, file);
  config["preconditioning"] = {{"type", objective}, {"noise_input", {{"type", "index"}, {"schedule", schedule}}}};
  // a config states how long its run is; this one is at its end, whose images are not told
  config["training"] = {{"images", 1}};
  config["sampling"] = {{"schedule", schedule},
                        {"grid", {{"type", "native"}, {"spacing", "leading"}, {"steps", alpha_bar.size()}}},
                        {"sampler", {{"type", "ancestral"}}},
                        {"clip", {-1, 1}}};
  out.config = config.dump();
  for (const char* key : {"image.height", "image.width"})
    out.unsaid.push_back({key, "pixels, which convolutions do not tell"});
  return out;
}

}  // namespace edmund
