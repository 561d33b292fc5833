// block_unet — U-Net described by a list of its blocks, as huggingface/diffusers' UNet2DModel is
// and with all of its kinds of blocks. Images of any shape that can be halved so often.
//
//   down   list of blocks, the finest first; default: DDPM's on CIFAR-10 (Ho et al. 2020)
//   mid    block without resampling, as wide as the last one down; layers 0: none
//   up     list of blocks, the coarsest first; default: the mirror of `down` with a layer more each
//
// A block is a number of residual blocks at one resolution and the way to the next one:
//
//   channels          -        of its results (mid has those of the last block down)
//   layers            2        residual blocks; each one up takes a result of the way down
//   attention         none     after which of them: none | all | first | last (mid: first)
//   heads             1        of the attention
//   groups            of all   of its norms; 0: min(32, C/4)
//   groups_in         groups   of each layer's first norm
//   groups_attention  groups   of the norm before attention; 0: no norm there
//   scale             1        factor on the sum after each residual connection
//   resample          none     at its end: none | conv | residual: a convolution, or a further
//                              residual block with the resampling inside; up to the last but one
//                              blocks have conv by default
//   padding           both     zeros around a convolution down: both sides, or the `end`
//   filter            [1,1]    taps of a residual block that resamples and of the image's way
//   image             false    the image goes beside the blocks, halved on the way down and added
//                              to each resolution; up, each resolution adds its own to the result
//                              (Song et al. 2021, NCSN++; Karras et al. 2020)
//
//   noise             positional  or fourier, table: how c_noise is embedded (noise_map.h)
//     channels        of the first block (fourier: twice that)
//     order           cos_sin  or sin_cos: halves of the waves
//     shift           0        positional: of the exponents' divisor; DDPM's has 1
//     scale           16       fourier: standard deviation of the frequencies, over 2π
//     rows            1000     table: whole noise inputs from 0 on
//   embedding         4·C      width of what all blocks see
//   classes           table    table | identity | number: a row for each class; the labels
//                              themselves; or the number through layers as of the noise
//   adaptive          false    the embedding scales and shifts after the second norm; else it is
//                              added before it
//   activation        silu     or gelu, mish, relu
//   groups            32       of all norms; 0: min(32, C/4)
//   eps               1e-5     of all norms
//   dropout           0        before a layer's second convolution
//   input_scale, input_shift   1, 0: the first convolution sees scale·x + shift
//   learned_variance  false    2C channels, the first C of which count (Nichol & Dhariwal 2021)
#include "edmund/networks/block_unet.h"

#include "edmund/core/error.h"

#include <algorithm>
#include <string>
#include <utility>

namespace edmund {
namespace {

using Config = BlockUNet::Config;
using Block = BlockUNet::Block;
using Attention = BlockUNet::Attention;
using Resample = BlockUNet::Resample;

// Google's checkpoint of DDPM on CIFAR-10.
std::vector<Block> usual_blocks() {
  return {{.channels = 128, .resample = Resample::kConv},
          {.channels = 256, .attention = Attention::kAll, .resample = Resample::kConv},
          {.channels = 256, .resample = Resample::kConv},
          {.channels = 256}};
}

std::vector<Block> mirrored(const std::vector<Block>& down) {
  std::vector<Block> up(down.rbegin(), down.rend());
  for (std::size_t i = 0; i < up.size(); ++i) {
    ++up[i].layers;
    up[i].resample = i + 1 < up.size() ? up[i + 1].resample : Resample::kNone;
  }
  return up;
}

template <typename Enum>
Enum one_of(Options& options, std::string_view key, Enum usual, std::initializer_list<std::string_view> names,
            std::string_view about) {
  const auto* const first = names.begin();
  const std::string word = options.choice(key, first[static_cast<std::size_t>(usual)], names, about);
  return static_cast<Enum>(std::find(names.begin(), names.end(), word) - first);
}

// `usual` are the defaults, what all blocks share among them.
Block read_block(Options& options, Block b, bool is_mid) {
  if (!is_mid)
    b.channels = b.channels > 0 ? options.integer("channels", b.channels, between(1, 16384), "of the block's results")
                                : options.required_integer("channels", between(1, 16384), "of the block's results");
  b.layers = options.integer("layers", b.layers, between(is_mid ? 0 : 1, 64), "residual blocks");
  b.attention =
      one_of(options, "attention", b.attention, {"none", "all", "first", "last"}, "after which of the residual blocks");
  b.heads = options.integer("heads", b.heads, between(1, 4096), "of the attention");
  b.groups = options.integer("groups", b.groups, between(0, 4096), "of the block's norms; 0: min(32, channels/4)");
  b.groups_in = options.integer("groups_in", b.groups_in, between(0, 4096), "of each layer's first norm; 0: groups");
  const bool is_chosen = options.has("groups_attention") || b.groups_attention;
  const std::int64_t of_attention = options.integer("groups_attention", b.groups_attention.value_or(b.groups),
                                                    between(0, 4096), "of the norm before attention; 0: no norm there");
  if (is_chosen) b.groups_attention = of_attention;
  b.scale = options.real("scale", b.scale, above(0), "factor on the sum after each residual connection");
  if (is_mid) return b;
  b.resample =
      one_of(options, "resample", b.resample, {"none", "conv", "residual"}, "how the block ends in another resolution");
  b.padding = one_of(options, "padding", b.padding, {"both", "end"}, "zeros around a convolution down");
  b.filter = options.reals("filter", b.filter, {}, "taps between resolutions, an even number");
  b.image = options.flag("image", b.image, "the image goes beside the blocks");
  return b;
}

std::vector<Block> read_blocks(Options& options, std::string_view key, const std::vector<Block>& usual,
                               const Block& shared, std::string_view about) {
  std::vector<Options> items = options.children(key, about);
  if (items.empty()) return usual;
  std::vector<Block> out;
  for (Options& item : items) {
    Block block = shared;
    if (out.size() + 1 < items.size()) block.resample = Resample::kConv;
    out.push_back(read_block(item, block, /*is_mid=*/false));
  }
  return out;
}

NoiseMap::Config read_noise(Options& options, std::int64_t channels) {
  NoiseMap::Config c;
  Options child = options.child("noise", "how the noise input is embedded");
  c.kind = one_of(child, "type", c.kind, {"positional", "fourier", "table"},
                  "waves of fixed or of random frequencies, "
                  "or a learned row for each whole number");
  const std::int64_t usual = c.kind == NoiseMap::Kind::kFourier ? 2 * channels : channels;
  c.channels = child.integer("channels", usual, between(2, 16384), "sines and cosines together");
  if (c.kind == NoiseMap::Kind::kTable) {
    c.rows = child.integer("rows", c.rows, between(1, 1e6), "whole noise inputs from 0 on");
    return c;
  }
  c.order = one_of(child, "order", c.order, {"cos_sin", "sin_cos"}, "which half of the waves comes first");
  if (c.kind == NoiseMap::Kind::kFourier) {
    c.scale = child.real("scale", c.scale, above(0), "standard deviation of the frequencies, over 2π");
    child.check(c.channels % 2 == 0, "channels", "must be even, found {}", c.channels);
    c.channels += c.channels % 2;
    return c;
  }
  c.shift = child.real("shift", c.shift, between(-1e3, 1e3), "taken from the divisor of the exponents");
  const std::int64_t half = c.channels / 2;
  const bool usable = static_cast<double>(half) > c.shift;
  child.check(usable, "shift", "must be below half the channels, {}, found {}", half, c.shift);
  if (!usable) c.shift = 0.0;
  return c;
}

}  // namespace

BlockUNet::Config read_block_unet(Options& options, const NetworkContext& context) {
  Config c{.image = context.image, .num_classes = context.num_classes};
  Block shared{.groups = options.integer("groups", 32, between(0, 4096), "of all norms; 0: min(32, channels/4)")};
  c.groups = shared.groups;
  std::vector<Block> usual = usual_blocks();
  for (Block& block : usual) block.groups = shared.groups;
  c.down = read_blocks(options, "down", usual, shared, "blocks on the way to coarser resolutions, the finest first");
  c.up = read_blocks(
      options, "up", mirrored(c.down),
      [&] {
        Block block = shared;
        block.layers = 3;
        return block;
      }(),
      "blocks on the way back, the coarsest first; default: the mirror of `down`, with a layer more each");
  Options mid = options.child("mid", "block between both");
  c.mid = {.channels = c.down.back().channels,
           .layers = 2,
           .attention = Attention::kFirst,
           .heads = c.down.back().heads,
           .groups = shared.groups};
  c.mid = read_block(mid, c.mid, /*is_mid=*/true);
  c.noise = read_noise(options, c.down.front().channels);
  c.embedding = options.integer("embedding", 4 * c.down.front().channels, between(1, 65536),
                                "width of the embedding that all blocks see");
  c.classes = one_of(options, "classes", c.classes, {"table", "identity", "number"},
                     "a learned row for each class, the labels themselves, or the number through layers");
  c.adaptive_scale = options.flag("adaptive", false,
                                  "the embedding scales and shifts after the second norm; else it "
                                  "is added before it");
  c.activation = one_of(options, "activation", c.activation, {"silu", "gelu", "mish", "relu"}, "of all blocks");
  c.eps = options.real("eps", c.eps, inside(0, 1), "of all norms");
  c.dropout = options.real("dropout", c.dropout, {.low = 0.0, .high = 1.0, .open_high = true},
                           "share that is dropped before a layer's second convolution");
  c.input_scale = options.real("input_scale", 1.0, {}, "the first convolution sees scale·x + shift");
  c.input_shift = options.real("input_shift", 0.0, {}, "the first convolution sees scale·x + shift");
  const bool variance =
      options.flag("learned_variance", false, "as many output channels again, for the variance; not used in sampling");
  c.out_channels = (variance ? 2 : 1) * c.image.channels;
  return c;
}

std::shared_ptr<Network> make_block_unet(Options& options, const NetworkContext& context) {
  Config c = read_block_unet(options, context);
  const auto found = BlockUNet::problem(c);
  if (!found) return std::make_shared<BlockUNet>(std::move(c));
  options.reject(found->option, found->reason);
  // A small network stands in until all mistakes are reported.
  return std::make_shared<BlockUNet>(Config{.image = c.image,
                                            .out_channels = c.out_channels,
                                            .num_classes = c.num_classes,
                                            .embedding = 16,
                                            .noise = {.channels = 8},
                                            .down = {{.channels = 8, .layers = 1}},
                                            .up = {{.channels = 8, .layers = 2}},
                                            .mid = {.channels = 8, .layers = 1}});
}

}  // namespace edmund
