#include "score_sde_network.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <ATen/ops/outer.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/TensorOperators.h>
#include <map>
#include <utility>

namespace edmund {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kList = "all_modules.";

struct Module {
  enum class Is { kFourier, kLinear, kConv, kNorm, kBlock, kAttention, kDown, kCombine };
  Is is = Is::kConv;
  std::map<std::string, Tensor> parts;

  const Tensor& at(const std::string& name, const std::string& file) const {
    const auto found = parts.find(name);
    require(found != parts.end(), "{}: a module of the network has no {}", file, name);
    return found->second;
  }
};

Module::Is kind_of(const Module& module, std::size_t number, const std::string& file) {
  using Is = Module::Is;
  const auto has = [&](const char* name) { return module.parts.contains(name); };
  if (has("W")) return Is::kFourier;
  if (has("Dense_0.weight") && has("Conv_1.weight")) return Is::kBlock;
  if (has("NIN_3.W")) return Is::kAttention;
  if (has("Conv2d_0.weight")) return Is::kDown;
  if (has("Conv_0.weight") && module.at("Conv_0.weight", file).dim() == 4 &&
      module.at("Conv_0.weight", file).size(2) == 1)
    return Is::kCombine;
  if (has("weight")) {
    const auto dimensions = module.at("weight", file).dim();
    if (dimensions == 1) return Is::kNorm;
    if (dimensions == 2) return Is::kLinear;
    if (dimensions == 4) return Is::kConv;
  }
  fail("{}: {}{} is no part of an NCSN++ with BigGAN blocks, which alone are converted", file, kList, number);
}

// The list, its numbers without gaps.
std::vector<Module> modules_of(const NamedTensors& state, const std::string& file) {
  std::vector<Module> out;
  for (const auto& [name, tensor] : state) {
    if (!name.starts_with(kList)) continue;
    const std::size_t dot = name.find('.', kList.size());
    const auto number = parse_integer(name.substr(kList.size(), dot - kList.size()));
    require(dot != std::string::npos && number && *number >= 0 && *number < 10'000, "{}: tensor {} is not known", file,
            in_quotes(name));
    if (out.size() <= static_cast<std::size_t>(*number)) out.resize(static_cast<std::size_t>(*number) + 1);
    out[static_cast<std::size_t>(*number)].parts[name.substr(dot + 1)] = tensor;
  }
  for (std::size_t i = 0; i < out.size(); ++i) out[i].is = kind_of(out[i], i, file);
  return out;
}

// Walks their list and names its parts as ours.
class Reading {
 public:
  Reading(std::vector<Module> modules, std::int64_t resolution, std::vector<double> filter, const std::string& file)
      : modules_(std::move(modules)), resolution_(resolution), filter_(std::move(filter)), file_(file) {}

  void read() {
    read_embedding();
    read_encoder();
    read_decoder();
    require(next_ == modules_.size(), "{}: {} modules are left over; the network is none of those that are converted",
            file_, modules_.size() - next_);
  }

  ScoreSdeNetwork result() && {
    return {
        .weights = std::move(out_), .config = std::move(network_), .channels = image_channels_, .fourier = fourier_};
  }

 private:
  using Is = Module::Is;

  bool is(Is kind) const { return next_ < modules_.size() && modules_[next_].is == kind; }
  const Module& take(Is kind, const char* what) {
    require(is(kind), "{}: {}{}: expected {}; the network is none of those that are converted", file_, kList, next_,
            what);
    return modules_[next_++];
  }
  void copy(const Module& module, const std::string& theirs, const std::string& ours) {
    for (const char* part : {"weight", "bias"})
      out_.emplace_back(ours + '.' + part, module.at(theirs.empty() ? part : theirs + '.' + part, file_));
  }
  std::string at_level(const std::string& rest) const {
    const std::int64_t R = std::max<std::int64_t>(resolution_ >> level_, 1);
    return format("{}x{}_{}", R, R, rest);
  }
  std::int64_t size(const Module& module, const std::string& name, std::int64_t dimension) const {
    const Tensor& tensor = module.at(name, file_);
    require(dimension < tensor.dim() && tensor.size(dimension) > 0, "{}: {} of a module has no such shape", file_,
            name);
    return tensor.size(dimension);
  }
  std::int64_t multiple(std::int64_t channels) const {
    require(channels % channels_ == 0, "{}: {} channels are no multiple of the first convolution's {}", file_, channels,
            channels_);
    return channels / channels_;
  }
  void add_filter(const std::string& name) {
    const Tensor taps = at::tensor(filter_) / at::tensor(filter_).sum();
    out_.emplace_back(name + ".resample_filter", at::outer(taps, taps).to(at::kFloat).view({1, 1, taps.size(0), -1}));
  }

  void read_embedding() {
    fourier_ = is(Is::kFourier);
    std::int64_t noise = 0;
    if (fourier_) {
      const Tensor& frequencies = take(Is::kFourier, "Fourier features").at("W", file_);
      noise = 2 * frequencies.numel();
      out_.emplace_back("map_noise.freqs", frequencies);
    }
    const Module &first = take(Is::kLinear, "a layer of the noise embedding"),
                 &second = take(Is::kLinear, "a layer of the noise embedding");
    const Module& conv = take(Is::kConv, "the first convolution");
    copy(first, "", "map_layer0");
    copy(second, "", "map_layer1");
    copy(conv, "", "enc." + at_level("conv"));
    channels_ = now_ = size(conv, "weight", 0);
    image_channels_ = size(conv, "weight", 1);
    if (!fourier_) noise = size(first, "weight", 1);
    network_["channels"] = channels_;
    network_["noise_multiplier"] = multiple(noise);
    network_["embedding_multiplier"] = multiple(size(first, "weight", 0));
    network_["embedding"] = fourier_ ? "fourier" : "positional";
  }

  // Of a block, and the attention after it if there is one.
  bool add_block(const std::string& name) {
    const Module& block = take(Is::kBlock, "a residual_ block");
    copy(block, "GroupNorm_0", name + ".norm0");
    copy(block, "Conv_0", name + ".conv0");
    copy(block, "Dense_0", name + ".affine");
    copy(block, "GroupNorm_1", name + ".norm1");
    copy(block, "Conv_1", name + ".conv1");
    if (block.parts.contains("Conv_2.weight")) copy(block, "Conv_2", name + ".skip");
    if (resamples(block))
      for (const char* part : {".conv0", ".skip"}) add_filter(name + part);
    now_ = size(block, "Conv_0.weight", 0);
    if (!is(Is::kAttention)) return false;
    add_attention(take(Is::kAttention, "attention"), name);
    return true;
  }

  void add_attention(const Module& attention, const std::string& name) {
    copy(attention, "GroupNorm_0", name + ".norm2");
    std::vector<Tensor> weights, biases;
    for (const char* part : {"NIN_0", "NIN_1", "NIN_2"}) {
      weights.push_back(square(attention, part).t());
      biases.push_back(attention.at(std::string(part) + ".b", file_));
      require(biases.back().dim() == 1 && biases.back().size(0) == weights.back().size(0), "{}: {} of other sizes",
              file_, part);
    }
    const std::int64_t C = weights[0].size(0);
    out_.emplace_back(name + ".qkv.weight", at::stack(weights, 1).reshape({3 * C, C, 1, 1}).contiguous());
    out_.emplace_back(name + ".qkv.bias", at::stack(biases, 1).reshape({3 * C}).contiguous());
    out_.emplace_back(name + ".proj.weight", square(attention, "NIN_3").t().reshape({C, C, 1, 1}).contiguous());
    out_.emplace_back(name + ".proj.bias", attention.at("NIN_3.b", file_));
  }

  const Tensor& square(const Module& attention, const std::string& part) const {
    const Tensor &matrix = attention.at(part + ".W", file_), &first = attention.at("NIN_0.W", file_);
    require(matrix.dim() == 2 && matrix.size(0) == matrix.size(1) && first.sizes() == matrix.sizes(),
            "{}: {}.W is no square matrix of the attention's channels", file_, part);
    return matrix;
  }

  // Only where they resample do blocks project as many channels as they keep.
  bool resamples(const Module& block) const {
    return block.parts.contains("Conv_2.weight") && size(block, "Conv_2.weight", 0) == size(block, "Conv_2.weight", 1);
  }
  bool fits(const Module& block) const { return size(block, "Conv_0.weight", 1) == now_; }

  // Blocks down to the coarsest resolution and, as its last two, those of the middle.
  void read_encoder() {
    std::vector<std::int64_t> multipliers, attention, blocks(1, 0);
    std::vector<std::pair<std::size_t, std::size_t>> spans;  // the blocks' tensors
    std::vector<bool> attends;
    while (is(Is::kBlock) && fits(modules_[next_])) {
      const bool goes_down = resamples(modules_[next_]);
      if (goes_down) {
        close_level(multipliers, attention, attends);
        ++level_;
        blocks.push_back(0);
        attends.clear();
      }
      const std::size_t before = out_.size();
      const bool with = add_block("enc." + at_level(goes_down ? "down" : format("block{}", blocks.back()++)));
      if (goes_down) {
        read_pyramid();
        continue;
      }
      attends.push_back(with);
      spans.emplace_back(before, out_.size());
    }
    require(attends.size() >= 3 && attends[attends.size() - 2] && !attends.back(),
            "{}: the middle of the network is not block, attention, block", file_);
    // the last two are the middle's
    for (const std::size_t i : {0, 1}) {
      const auto [begin, end] = spans[spans.size() - 2 + i];
      const std::string old = "enc." + at_level(format("block{}", blocks.back() - 2 + static_cast<std::int64_t>(i)));
      for (std::size_t k = begin; k < end; ++k)
        out_[k].first = "dec." + at_level(format("in{}", i)) + out_[k].first.substr(old.size());
    }
    blocks.back() -= 2;
    attends.resize(attends.size() - 2);
    close_level(multipliers, attention, attends);
    require(std::ranges::all_of(blocks, [&](auto count) { return count == blocks.front() && count > 0; }),
            "{}: as many blocks at each resolution were expected", file_);
    blocks_ = blocks.front();
    network_["multipliers"] = multipliers;
    network_["blocks"] = blocks_;
    network_["attention"] = attention;
    network_["encoder"] = residual_ ? "residual" : skip_ ? "skip" : "standard";
  }

  void close_level(std::vector<std::int64_t>& multipliers, std::vector<std::int64_t>& attention,
                   const std::vector<bool>& attends) {
    multipliers.push_back(multiple(now_));
    if (!attends.empty() && attends.front()) attention.push_back(std::max<std::int64_t>(resolution_ >> level_, 1));
  }

  // What hands the input to coarser resolutions.
  void read_pyramid() {
    if (is(Is::kDown)) {
      residual_ = true;
      const std::string name = "enc." + at_level("aux_residual");
      copy(take(Is::kDown, "a convolution"), "Conv2d_0", name);
      add_filter(name);
    } else if (is(Is::kCombine)) {
      skip_ = true;
      copy(take(Is::kCombine, "a convolution"), "Conv_0", "enc." + at_level("aux_skip"));
      add_filter("enc." + at_level("aux_down"));
    }
  }

  void read_decoder() {
    bool sums = false;
    const std::size_t levels = level_ + 1;
    for (level_ = levels; level_-- > 0;) {
      for (std::int64_t i = 0; i <= blocks_; ++i) add_block("dec." + at_level(format("block{}", i)));
      if (is(Is::kNorm)) {
        copy(take(Is::kNorm, "a norm"), "", "dec." + at_level("aux_norm"));
        copy(take(Is::kConv, "a convolution"), "", "dec." + at_level("aux_conv"));
        sums = sums || level_ > 0;
        if (level_ + 1 < levels && sums) add_filter("dec." + at_level("aux_up"));
      }
      if (level_ == 0) break;
      --level_;
      add_block("dec." + at_level("up"));
      ++level_;
    }
    network_["decoder"] = sums ? "skip" : "standard";
    level_ = 0;
  }

  std::vector<Module> modules_;
  std::int64_t resolution_;
  std::vector<double> filter_;
  const std::string& file_;
  std::size_t next_ = 0, level_ = 0;
  std::int64_t channels_ = 1, now_ = 0, blocks_ = 0;
  bool skip_ = false, residual_ = false, fourier_ = false;
  NamedTensors out_;
  ordered_json network_ = {{"type", "unet"}};
  std::int64_t image_channels_ = 0;
};

}  // namespace

ScoreSdeNetwork read_score_sde_network(const NamedTensors& state, std::int64_t resolution,
                                       const std::vector<double>& filter, const std::string& file) {
  Reading reading(modules_of(state, file), resolution, filter, file);
  reading.read();
  return std::move(reading).result();
}

}  // namespace edmund
