#pragma once

#include "diffusers_dit.h"
#include "diffusers_unet.h"
#include "edmund/networks/block_unet.h"
#include "edmund/networks/dit.h"

#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace edmund {

/// scheduler_config.json of a model with these values, "key.path" → text. Throws Error naming what
/// no scheduler there has.
nlohmann::ordered_json diffusers_scheduler(const std::map<std::string, std::string>& values);

/// The UNet2DModel that a network is, whose images there are scale·x + shift of those here. Throws
/// Error naming what none has.
UNet2D unet2d_of(const BlockUNet::Config& network, double scale, double shift);
/// The DiTTransformer2DModel that a network is, likewise.
DiT2D dit2d_of(const DiT::Config& network);

}  // namespace edmund
