#pragma once

#include "edmund/core/tensor.h"
#include "edmund/networks/condition.h"

#include <cstdint>
#include <string>

namespace edmund {

/// Elements of all parameters.
std::int64_t parameter_count(const Network& network);
/// Parameters and buffers by name.
NamedTensors state_dict(const Network& network);
/// Throws Error naming a missing, unknown or misshapen tensor; `file` stands for the origin of
/// `state`.
void check_state(const Network& network, const NamedTensors& state, const std::string& file);
/// Copies weights by name into a network, if all of them pass check_state.
void load_state(Network& network, const NamedTensors& state, const std::string& file);

}  // namespace edmund
