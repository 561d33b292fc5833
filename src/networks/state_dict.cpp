#include "edmund/networks/state_dict.h"

#include "edmund/core/error.h"
#include "edmund/networks/network.h"

#include <ATen/core/grad_mode.h>
#include <map>
#include <sstream>

namespace edmund {
namespace {

std::string shape_text(const Tensor& tensor) {
  std::ostringstream out;
  out << tensor.sizes();
  return out.str();
}

}  // namespace

std::int64_t parameter_count(const Network& network) {
  std::int64_t count = 0;
  for (const auto& parameter : network.parameters()) count += parameter.numel();
  return count;
}

NamedTensors state_dict(const Network& network) {
  NamedTensors out;
  for (const auto& entry : network.named_parameters()) out.emplace_back(entry.key(), entry.value().detach());
  for (const auto& entry : network.named_buffers()) out.emplace_back(entry.key(), entry.value());
  return out;
}

void check_state(const Network& network, const NamedTensors& state, const std::string& file) {
  constexpr const char* kAdvice = "it belongs to a network of another config";
  const std::map<std::string, Tensor> given(state.begin(), state.end());
  const NamedTensors own = state_dict(network);
  for (const auto& [name, tensor] : own) {
    const auto found = given.find(name);
    require(found != given.end(), "{}: tensor {} is missing; {}", file, name, kAdvice);
    require(found->second.sizes() == tensor.sizes(), "{}: tensor {} has shape {}, the network's has {}; {}", file, name,
            shape_text(found->second), shape_text(tensor), kAdvice);
    require(found->second.is_floating_point() == tensor.is_floating_point(),
            "{}: tensor {} has dtype {}, the network's has {}; {}", file, name, found->second.dtype().name(),
            tensor.dtype().name(), kAdvice);
  }
  const std::map<std::string, Tensor> known(own.begin(), own.end());
  for (const auto& [name, tensor] : given)
    require(known.contains(name), "{}: the network has no tensor {}; {}", file, name, kAdvice);
}

void load_state(Network& network, const NamedTensors& state, const std::string& file) {
  check_state(network, state, file);
  const std::map<std::string, Tensor> given(state.begin(), state.end());
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : state_dict(network)) tensor.copy_(given.at(name));
}

}  // namespace edmund
