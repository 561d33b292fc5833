#include "support/state.h"

#include "edmund/core/error.h"
#include "edmund/networks/state_dict.h"
#include "support/formula_weights.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace edmund::testing {

std::map<std::string, Tensor> state_of(const torch::nn::Module& module) {
  std::map<std::string, Tensor> out;
  for (const auto& item : module.named_parameters()) out[item.key()] = item.value();
  for (const auto& item : module.named_buffers()) out[item.key()] = item.value();
  return out;
}

void load_state(torch::nn::Module& module, Golden& golden, const std::string& prefix) {
  const at::NoGradGuard no_grad;
  auto state = state_of(module);
  for (const auto& name : golden.names(prefix))
    require(state.contains(name.substr(prefix.size())), "golden {}: the module has no '{}'", golden.name(), name);
  for (auto& [name, tensor] : state) {
    const Tensor& value = golden.use(prefix + name);
    require(tensor.sizes() == value.sizes(), "golden {}: '{}' has another shape here", golden.name(), prefix + name);
    if (name.ends_with("resample_filter")) {
      golden.check_equal(prefix + name, tensor);
    } else {
      tensor.copy_(value);
    }
  }
}

void load_formula(torch::nn::Module& module, const Golden& golden, const std::string& prefix) {
  const at::NoGradGuard no_grad;
  const auto formula = FormulaWeights::from(golden.notes());
  require(formula.has_value(), "golden {}: the notes state no formula for the weights", golden.name());
  for (auto& [name, tensor] : state_of(module))
    if (!name.ends_with("resample_filter")) tensor.copy_(formula->tensor(prefix + name, tensor.sizes()).to(at::kFloat));
}

void load(torch::nn::Module& module, Golden& golden, const std::string& prefix) {
  if (FormulaWeights::from(golden.notes())) {
    load_formula(module, golden, prefix);
  } else {
    load_state(module, golden, prefix);
  }
}

}  // namespace edmund::testing
