#include "edmund/core/table.h"

#include "edmund/networks/network.h"

namespace edmund {

NetworkFactory make_ddpmpp, make_dit, make_edm2, make_ncsnpp, make_resnet, make_unet;

namespace {

constexpr NetworkEntry kNetworks[] = {
    {"unet", "U-Net with residual blocks and attention, every choice an option",
     "Song et al. 2021; Karras et al. 2022, NVlabs/edm SongUNet", make_unet,
     "{channels: 16, multipliers: [1, 2], blocks: 1, attention: [4]}"},
    {"ddpmpp", "unet as DDPM++: positional embedding, 128 channels × [2, 2, 2]",
     "Song et al. 2021; Karras et al. 2022, table 7", make_ddpmpp,
     "{channels: 16, multipliers: [1, 2], blocks: 1, attention: [4]}"},
    {"ncsnpp", "unet as NCSN++: Fourier embedding, residual encoder, [1,3,3,1] filter",
     "Song et al. 2021; Karras et al. 2022, table 7", make_ncsnpp,
     "{channels: 16, multipliers: [1, 2], blocks: 1, attention: [4]}"},
    {"resnet", "residual blocks at one resolution, fully convolutional: a fast baseline",
     "He et al. 2016; blocks of Dhariwal & Nichol 2021", make_resnet, "{channels: 16, blocks: 2}"},
    {"dit", "transformer on patches with adaLN-zero, in the published sizes S to XL",
     "Peebles & Xie 2023, facebookresearch/DiT; Ma et al. 2024, willisma/SiT", make_dit,
     "{hidden_size: 24, depth: 2, heads: 4}"},
    {"edm2", "magnitude-preserving U-Net, weights normalized after each step",
     "Karras et al. 2024, config G, NVlabs/edm2 UNet", make_edm2,
     "{channels: 16, multipliers: [1, 2], blocks: 1, attention: [4], channels_per_head: 8}"},
};

}  // namespace

std::span<const NetworkEntry> network_table() { return kNetworks; }

std::shared_ptr<Network> make_network(Options& options, const NetworkContext& context) {
  const NetworkEntry& entry = chosen(network_table(), options, "unet", "architecture");
  auto network = entry.make(options, context);
  options.check(context.augment_labels == 0 || network->takes_augment_labels(), "type",
                "{} has no place for augment labels, which the images come with; augment without telling the network "
                "(training.augment.labels=false), or choose another network",
                entry.name);
  return network;
}

}  // namespace edmund
