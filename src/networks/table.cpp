#include "edmund/core/table.h"

#include "edmund/networks/network.h"

namespace edmund {

NetworkFactory make_adm, make_block_unet, make_ddpmpp, make_dit, make_edm2, make_exported, make_image_v1,
    make_lucidrains, make_ncsnpp, make_resnet, make_unet;

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
    {"block_unet", "U-Net described by a list of its blocks, as diffusers' UNet2DModel",
     "Ho et al. 2020; Song et al. 2021, huggingface/diffusers", make_block_unet,
     "{groups: 8, down: [{channels: 16, layers: 1}, {channels: 16, layers: 1, attention: all, heads: 2}]}"},
    {"adm", "U-Net with adaptive norms and attention in heads, as ADM and as OpenAI's UNetModel",
     "Dhariwal & Nichol 2021; NVlabs/edm DhariwalUNet; openai/guided-diffusion", make_adm,
     "{channels: 16, multipliers: [1, 2], blocks: 1, attention: [4], channels_per_head: 8}"},
    {"edm2", "magnitude-preserving U-Net, weights normalized after each step",
     "Karras et al. 2024, config G, NVlabs/edm2 UNet", make_edm2,
     "{channels: 16, multipliers: [1, 2], blocks: 1, attention: [4], channels_per_head: 8}"},
    {"exported", "a program of PyTorch: TorchScript or AOTInductor package, sampled but not trained",
     "torch.jit.save, torch._inductor.aoti_compile_and_package", make_exported, ""},
    {"image_v1", "U-Net of k-diffusion: norms scaled by a mapping network, GELU", "Crowson, k-diffusion image_v1",
     make_image_v1, "{channels: [16, 32], depths: [1, 1], attention: [0, 1], embedding: 16}"},
    {"lucidrains", "U-Net with RMS norms and linear attention with memory",
     "Wang, denoising-diffusion-pytorch; Shen et al. 2021", make_lucidrains,
     "{channels: 8, multipliers: [1, 2], heads: [2, 2], head_channels: [8, 8]}"},
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
