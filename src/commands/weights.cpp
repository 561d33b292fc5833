#include "weights.h"

namespace edmund {

Weights WeightsFlags::weights() const {
  require(!raw || ema.empty() || ema == "raw", "--raw: beside --ema {} it says something else; give one of them", ema);
  return raw ? Weights::kRaw : weights_named(ema, "--ema");
}

void add_weights(CLI::App& arguments, WeightsFlags& flags) {
  arguments.add_flag("--raw", flags.raw, "the network's own weights in place of their EMA");
  arguments.add_option("--ema", flags.ema,
                       "ema, raw, or a relative width (0.075): an average made of training.ema_tracks");
}

}  // namespace edmund
