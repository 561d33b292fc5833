#pragma once

#include "edmund/networks/song_unet.h"

namespace edmund::testing {

/// A U-Net of 8 × 8 images with everything that a U-Net may have.
inline SongUNet::Config small_unet() {
  return {.resolution = 8,
          .in_channels = 3,
          .out_channels = 3,
          .num_classes = 4,
          .augment_labels = 2,
          .channels = 16,
          .multipliers = {1, 2},
          .blocks = 1,
          .attention = {4},
          .dropout = 0.3};
}

}  // namespace edmund::testing
