#pragma once

#include "support/golden.h"

#include <map>
#include <string>
#include <torch/nn/module.h>

namespace edmund::testing {

/// Parameters and buffers by name.
std::map<std::string, Tensor> state_of(const torch::nn::Module& module);

/// Copies the tensors PREFIX… of a golden file into the module's parameters and buffers of the same
/// names, rounded to their dtypes; checks that both have the same names and shapes, and that
/// resample filters are what the module built. Throws Error where they do not match.
void load_state(torch::nn::Module& module, Golden& golden, const std::string& prefix);

/// Fills the module by the formula that the file's notes state, under names PREFIX….
void load_formula(torch::nn::Module& module, const Golden& golden, const std::string& prefix);

/// Either of both: by formula if the notes say so.
void load(torch::nn::Module& module, Golden& golden, const std::string& prefix);

}  // namespace edmund::testing
