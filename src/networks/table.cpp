// unet, ddpmpp, ncsnpp — U-Net of Song et al. 2021 as Karras et al. 2022 reformulate it, under the same options:
//
//                         unet        ddpmpp      ncsnpp
//   channels              128         128         128          of the finest resolution
//   multipliers           [1,2,2,2]   [2,2,2]     [2,2,2]      channels of each resolution, the finest first
//   embedding_multiplier  4           4           4            width of the embedding that all blocks get
//   noise_multiplier      1           1           2            width of the noise embedding
//   blocks                4           4           4            of each resolution
//   attention             [16]        [16]        [16]         resolutions with attention; the coarsest has one in any case
//   dropout               0.1         0.13        0.13         before each block's second convolution, in training
//   embedding             positional  positional  fourier      of the noise level
//   encoder               standard    standard    residual     how the input reaches coarser resolutions beside the blocks: standard | skip | residual
//   decoder               standard    standard    standard     where the image is made: at the finest resolution, or summed over all: standard | skip
//   resample_filter       [1,1]       [1,1]       [1,3,3,1]    even number of taps
//   learned_variance      false       false       false        makes 2C channels, of which the first C count (Nichol & Dhariwal 2021)
//
// unet has the defaults of NVlabs/edm's SongUNet, the others those of its training command for 32×32 images.
#include "edmund/core/table.h"

#include "edmund/networks/network.h"
#include "edmund/networks/song_unet.h"

namespace edmund {
namespace {

using Noise = SongUNet::Noise;
using Encoder = SongUNet::Encoder;
using Decoder = SongUNet::Decoder;

std::shared_ptr<Network> make_song_unet(Options& options, const NetworkContext& context, SongUNet::Config c) {
  c.resolution = context.image.height;
  c.in_channels = context.image.channels;
  c.num_classes = context.num_classes;
  c.augment_labels = context.augment_labels;
  c.channels = options.integer("channels", c.channels, between(4, 4096));
  c.multipliers = options.integers("multipliers", c.multipliers, between(1, 64));
  c.embedding_multiplier = options.integer("embedding_multiplier", c.embedding_multiplier, between(1, 64));
  c.noise_multiplier = options.integer("noise_multiplier", c.noise_multiplier, between(1, 64));
  c.blocks = options.integer("blocks", c.blocks, between(1, 64));
  c.attention = options.integers("attention", c.attention, at_least(1));
  c.dropout = options.real("dropout", c.dropout, {.low = 0.0, .high = 1.0, .open_high = true});
  const auto noise =
      options.choice("embedding", c.embedding == Noise::kFourier ? "fourier" : "positional", {"positional", "fourier"});
  c.embedding = noise == "fourier" ? Noise::kFourier : Noise::kPositional;
  const auto encoder = options.choice("encoder", c.encoder == Encoder::kResidual ? "residual" : "standard",
                                      {"standard", "skip", "residual"});
  c.encoder = encoder == "skip" ? Encoder::kSkip : encoder == "residual" ? Encoder::kResidual : Encoder::kStandard;
  c.decoder =
      options.choice("decoder", "standard", {"standard", "skip"}) == "skip" ? Decoder::kSkip : Decoder::kStandard;
  c.resample_filter = options.reals("resample_filter", c.resample_filter);
  c.out_channels = options.flag("learned_variance", false) ? 2 * c.in_channels : c.in_channels;

  const auto& image = context.image;
  options.check(image.height == image.width, "type",
                "takes square images only, the data's are {}×{}; resize or crop them", image.height, image.width);
  const auto found = SongUNet::problem(c);
  if (found) options.reject(found->option, found->reason);
  // The mistake is recorded; a small network of the right kind stands in until all mistakes are reported.
  if (found)
    c = {.resolution = c.resolution,
         .in_channels = c.in_channels,
         .out_channels = c.out_channels,
         .channels = 32,
         .multipliers = {1},
         .blocks = 1};
  return std::make_shared<SongUNet>(std::move(c));
}

std::shared_ptr<Network> make_unet(Options& options, const NetworkContext& context) {
  return make_song_unet(options, context, {});
}

std::shared_ptr<Network> make_ddpmpp(Options& options, const NetworkContext& context) {
  return make_song_unet(options, context, {.multipliers = {2, 2, 2}, .dropout = 0.13});
}

std::shared_ptr<Network> make_ncsnpp(Options& options, const NetworkContext& context) {
  return make_song_unet(options, context,
                        {.multipliers = {2, 2, 2},
                         .noise_multiplier = 2,
                         .dropout = 0.13,
                         .embedding = Noise::kFourier,
                         .encoder = Encoder::kResidual,
                         .resample_filter = {1, 3, 3, 1}});
}

constexpr Entry<NetworkFactory> kNetworks[] = {
    {"unet", "U-Net with residual blocks and attention, every choice an option",
     "Song et al. 2021; Karras et al. 2022, NVlabs/edm SongUNet", make_unet},
    {"ddpmpp", "unet as DDPM++: positional embedding, 128 channels × [2, 2, 2]",
     "Song et al. 2021; Karras et al. 2022, table 7", make_ddpmpp},
    {"ncsnpp", "unet as NCSN++: Fourier embedding, residual encoder, [1,3,3,1] filter",
     "Song et al. 2021; Karras et al. 2022, table 7", make_ncsnpp},
};

}  // namespace

std::span<const Entry<NetworkFactory>> network_table() { return kNetworks; }

std::shared_ptr<Network> make_network(Options& options, const NetworkContext& context) {
  return chosen(network_table(), options, "unet").make(options, context);
}

}  // namespace edmund
