#include "openai_unet.h"

#include "edmund/core/error.h"
#include "edmund/core/text.h"

#include <algorithm>
#include <ATen/ops/full.h>
#include <nlohmann/json.hpp>

namespace edmund {
namespace {

using nlohmann::ordered_json;

constexpr std::int64_t kMostLevels = 12, kMostBlocks = 64;

// Rows of qkv as NVlabs/edm orders them, [head][channel][q, k, v].
Tensor reordered(const Tensor& qkv, std::int64_t heads, bool qkv_first) {
  const std::int64_t d = qkv.size(0) / (3 * heads);
  std::vector<std::int64_t> split =
      qkv_first ? std::vector<std::int64_t>{3, heads, d, -1} : std::vector<std::int64_t>{heads, 3, d, -1};
  const Tensor parts = qkv.reshape(split);
  return (qkv_first ? parts.permute({1, 2, 0, 3}) : parts.permute({0, 2, 1, 3})).reshape(qkv.sizes()).contiguous();
}

/// Takes weights by OpenAI's names and keeps them under ours.
class Renaming {
 public:
  Renaming(StateFile& state, const HeadOrder& heads) : state_(state), heads_(heads) {}

  void pair(const std::string& from, const std::string& to) {
    for (const std::string part : {".weight", ".bias"}) out.emplace_back(to + part, state_.take(from + part));
  }
  void block(const std::string& from, const std::string& to) {
    pair(from + ".in_layers.0", to + ".norm0");
    pair(from + ".in_layers.2", to + ".conv0");
    pair(from + ".emb_layers.1", to + ".affine");
    pair(from + ".out_layers.0", to + ".norm1");
    pair(from + ".out_layers.3", to + ".conv1");
    if (state_.has(from + ".skip_connection.weight")) pair(from + ".skip_connection", to + ".skip");
  }
  // Of 1-d convolutions, [out, in, 1], or of 2-d ones.
  void attention(const std::string& from, const std::string& to) {
    pair(from + ".norm", to + ".norm2");
    const std::int64_t C = state_.size(from + ".qkv.weight", 1),
                       heads = heads_.heads > 0 ? heads_.heads : C / heads_.channels_per_head;
    const bool splits = heads > 0 && C % (heads_.heads > 0 ? heads_.heads : heads_.channels_per_head) == 0;
    require(splits && state_.size(from + ".qkv.weight", 0) == 3 * C && state_.size(from + ".qkv.bias", 0) == 3 * C,
            "{}: the attention {} of {} channels does not split into {}", state_.file(), from, C,
            heads_.heads > 0 ? format("{} heads", heads_.heads) : format("heads of {}", heads_.channels_per_head));
    for (const std::string part : {".weight", ".bias"})
      out.emplace_back(to + ".qkv" + part,
                       plain(reordered(state_.take(from + ".qkv" + part), heads, heads_.qkv_first)));
    for (const std::string part : {".weight", ".bias"})
      out.emplace_back(to + ".proj" + part, plain(state_.take(from + ".proj_out" + part)));
  }
  // The box filter that our layers keep as a buffer.
  void filter(const std::string& to) {
    out.emplace_back(to + ".resample_filter", at::full({1, 1, 2, 2}, 0.25, at::kFloat));
  }

  NamedTensors out;

 private:
  static Tensor plain(const Tensor& weight) { return weight.dim() == 3 ? weight.unsqueeze(3) : weight; }

  StateFile& state_;
  const HeadOrder& heads_;
};

}  // namespace

OpenaiUNet::OpenaiUNet(StateFile& state) : state_(state) {
  channels_ = state.size("time_embed.0.weight", 1);
  embedding_ = state.size("time_embed.0.weight", 0);
  first_ = state.size("input_blocks.0.0.weight", 0);
  in_ = state.size("input_blocks.0.0.weight", 1);
  out_ = state.size("out.2.weight", 0);
  require(channels_ > 0 && embedding_ % channels_ == 0, "{}: an embedding of {} for {} channels is not converted",
          state.file(), embedding_, channels_);
  require(out_ == in_ || out_ == 2 * in_, "{}: {} channels in, {} out: a network with further inputs is not converted",
          state.file(), in_, out_);
  label_mlp_ = state.has("label_emb.0.weight");
  if (label_mlp_) classes_ = state.size("label_emb.0.weight", 1);
  if (state.has("label_emb.weight")) classes_ = state.size("label_emb.weight", 0);
  find_levels();
  find_widths();
}

std::string OpenaiUNet::input(std::int64_t level, std::int64_t block) const {
  return format("input_blocks.{}", 1 + level * (blocks_ + 1) + block);
}

// Levels count from the finest; the decoder begins with the coarsest.
std::string OpenaiUNet::output(std::int64_t level, std::int64_t block) const {
  return format("output_blocks.{}", (levels_ - 1 - level) * (blocks_ + 1) + block);
}

// Each level has one block more in the decoder, the last of which goes to the next finer level; in
// the encoder an entry of its own goes to the next coarser one.
void OpenaiUNet::find_levels() {
  constexpr std::int64_t kMost = kMostLevels * (kMostBlocks + 1);
  std::int64_t entries = 0;
  while (entries < kMost && state_.has(format("output_blocks.{}.0.in_layers.0.weight", entries))) ++entries;
  std::int64_t last = -1;  // entry of the first level that goes up
  for (std::int64_t i = 0; i < entries && last < 0; ++i)
    for (const std::string at : {".1", ".2"}) {
      const std::string part = format("output_blocks.{}{}", i, at);
      const bool conv = state_.has(part + ".conv.weight");
      if (!conv && !state_.has(part + ".in_layers.0.weight")) continue;
      resampling_ = conv ? Resampling::kConv : Resampling::kBlock;
      last = i;
    }
  if (last < 0) {  // a pool has no weights: its entry is missing
    resampling_ = Resampling::kPool;
    std::int64_t i = 1;
    while (i <= kMost && state_.has(format("input_blocks.{}.0.in_layers.0.weight", i))) ++i;
    last = i == entries ? entries - 1 : i - 1;
  }
  blocks_ = last;
  levels_ = entries / (last + 1);
  require(blocks_ > 0 && blocks_ <= kMostBlocks && levels_ > 0 && levels_ <= kMostLevels &&
              levels_ * (blocks_ + 1) == entries,
          "{}: {} entries in output_blocks make no whole number of resolutions", state_.file(), entries);
}

void OpenaiUNet::find_widths() {
  const std::int64_t embeds = state_.size("middle_block.0.emb_layers.1.weight", 0),
                     width = state_.size("middle_block.0.out_layers.3.weight", 0);
  scale_shift_ = embeds == 2 * width;
  for (std::int64_t level = 0; level < levels_; ++level) {
    const std::int64_t out = state_.size(input(level, 0) + ".0.out_layers.3.weight", 0);
    multipliers_.push_back(static_cast<double>(out) / static_cast<double>(channels_));
    if (state_.has(input(level, 0) + ".1.qkv.weight")) attention_.insert(level);
  }
}

ordered_json OpenaiUNet::config(std::int64_t height, const HeadOrder& heads) const {
  std::vector<std::int64_t> attention;
  for (const std::int64_t level : attention_) attention.push_back(height >> level);
  ordered_json out = {{"type", "adm"}, {"channels", channels_}, {"multipliers", multipliers_}};
  if (const double first = static_cast<double>(first_) / static_cast<double>(channels_); first != multipliers_.front())
    out["first_multiplier"] = first;
  out["embedding_multiplier"] = embedding_ / channels_;
  out["blocks"] = blocks_;
  out["attention"] = attention;
  if (heads.heads > 0) {
    out["heads"] = heads.heads;
  } else {
    out["channels_per_head"] = heads.channels_per_head;
  }
  out["dropout"] = 0;  // not known
  out["scale_shift"] = scale_shift_;
  out["resampling"] = resampling_ == Resampling::kBlock ? "block" : resampling_ == Resampling::kConv ? "conv" : "pool";
  out["groups"] = 32;
  if (label_mlp_) out["labels"] = "mlp";
  if (out_ == 2 * in_) out["learned_variance"] = true;
  return out;
}

NamedTensors OpenaiUNet::weights(std::int64_t height, std::int64_t width, const HeadOrder& heads) {
  Renaming to(state_, heads);
  const auto enc = [&](std::int64_t level, const std::string& rest) {
    return format("enc.{}x{}_{}", height >> level, width >> level, rest);
  };
  const auto dec = [&](std::int64_t level, const std::string& rest) {
    return format("dec.{}x{}_{}", height >> level, width >> level, rest);
  };
  // `op` or `conv` is the convolution's name.
  const auto between = [&](const std::string& from, const std::string& ours, const std::string& conv) {
    if (resampling_ == Resampling::kBlock) {
      to.block(from, ours);
      to.filter(ours + ".conv0"), to.filter(ours + ".skip");
      return;
    }
    if (resampling_ == Resampling::kConv) to.pair(from + "." + conv, ours);
    if (resampling_ == Resampling::kPool || conv == "conv") to.filter(ours);
  };
  const auto attended = [&](const std::string& from, const std::string& ours, std::int64_t level) {
    if (attention_.contains(level)) to.attention(from, ours);
  };
  to.pair("time_embed.0", "map_layer0");
  to.pair("time_embed.2", "map_layer1");
  if (label_mlp_) {
    to.pair("label_emb.0", "map_label0");
    to.pair("label_emb.2", "map_label1");
  } else if (classes_ > 0) {
    to.out.emplace_back("map_label.weight", state_.take("label_emb.weight", 2).t().contiguous());
  }
  to.pair("input_blocks.0.0", enc(0, "conv"));
  for (std::int64_t level = 0; level < levels_; ++level) {
    for (std::int64_t i = 0; i < blocks_; ++i) {
      to.block(input(level, i) + ".0", enc(level, format("block{}", i)));
      attended(input(level, i) + ".1", enc(level, format("block{}", i)), level);
    }
    if (level + 1 < levels_) between(input(level, blocks_) + ".0", enc(level + 1, "down"), "op");
  }
  to.block("middle_block.0", dec(levels_ - 1, "in0"));
  to.attention("middle_block.1", dec(levels_ - 1, "in0"));
  to.block("middle_block.2", dec(levels_ - 1, "in1"));
  for (std::int64_t level = levels_ - 1; level >= 0; --level) {
    for (std::int64_t i = 0; i <= blocks_; ++i) {
      to.block(output(level, i) + ".0", dec(level, format("block{}", i)));
      attended(output(level, i) + ".1", dec(level, format("block{}", i)), level);
    }
    if (level > 0)
      between(output(level, blocks_) + (attention_.contains(level) ? ".2" : ".1"), dec(level - 1, "up"), "conv");
  }
  to.pair("out.0", "out_norm");
  to.pair("out.2", "out_conv");
  state_.finish("a UNetModel of these resolutions");
  return std::move(to.out);
}

}  // namespace edmund
