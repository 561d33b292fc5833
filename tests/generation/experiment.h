#pragma once

#include "edmund/app/config.h"
#include "edmund/generation/image_generator.h"
#include "edmund/networks/network.h"

#include <string>
#include <utility>
#include <vector>

namespace edmund::testing {

/// A config's experiment without data, its network initialized, on the config's backend.
inline Experiment experiment_of(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  RunConfig config = parse(Options::read_text(yaml, "test", overrides));
  apply_backend(config.backend);
  Experiment out = construct(std::move(config), Needs::kModel);
  out.model.network().initialize(out.config.seed);
  return out;
}

inline ImageGenerator generator_of(const Experiment& experiment) {
  return {experiment.model, experiment.sampling, experiment.shape};
}

}  // namespace edmund::testing
