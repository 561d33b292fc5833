#pragma once

#include "edmund/app/run.h"
#include "edmund/commands/command.h"

#include <string>

namespace edmund {

/// --raw and --ema: which weights of a run.
struct WeightsFlags {
  bool raw = false;
  std::string ema;

  /// Throws Error for a width that cannot be, and for both at once.
  Weights weights() const;
};
void add_weights(CLI::App& arguments, WeightsFlags& flags);

}  // namespace edmund
