#include "starting_weights.h"

#include "edmund/app/run.h"
#include "edmund/core/log.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "edmund/training/checkpoint.h"

#include <string>

namespace edmund {

void initialize(Experiment& experiment) {
  Network& network = experiment.model.network();
  network.initialize(experiment.config.seed);
  const StartingWeights& init = experiment.config.init;
  if (init.from.empty()) return;
  const auto folder = find_checkpoint(init.from).folder;
  const Checkpoint state = load_weights(folder, init.ema);
  NamedTensors weights = init.ema ? state.ema : state.network;
  // an adapter's, which the run that it starts from has not
  for (const auto& own : state_dict(network))
    if (own.first.find(".lora_") != std::string::npos || own.first.find(".prefix.") != std::string::npos)
      weights.push_back(own);
  load_state(network, weights, folder.string());
  log::info("starting from the {} weights of {} ({} images)", init.ema ? "averaged" : "raw", folder.string(),
            state.images);
}

}  // namespace edmund
