#include "edmund/core/error.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"
#include "edmund/training/counters.h"
#include "trainer_state.h"

#include <algorithm>
#include <ATen/core/grad_mode.h>
#include <map>

namespace edmund {
namespace {

constexpr const char* kFirst = "first_moment.";
constexpr const char* kSecond = "second_moment.";
// What rounding left of the EMA; checkpoints of edmund 0.1 have none.
constexpr const char* kRest = "ema_rest.";

bool has_rests(const NamedTensors& optimizer) {
  return std::any_of(optimizer.begin(), optimizer.end(),
                     [](const auto& entry) { return entry.first.starts_with(kRest); });
}

/// Of the network's parameters: the average of what is trained beside it is in no checkpoint.
NamedTensors rests_of(const NamedTensors& all, const NamedTensors& beside) {
  NamedTensors out;
  for (const auto& entry : all)
    if (std::none_of(beside.begin(), beside.end(), [&](const auto& other) { return other.first == entry.first; }))
      out.push_back(entry);
  return out;
}

}  // namespace

Checkpoint Trainer::checkpoint(const std::string& config) const {
  const State& own = *state_;
  const auto add = [](NamedTensors& out, const NamedTensors& tensors, const std::string& prefix) {
    for (const auto& [name, tensor] : tensors)
      out.emplace_back(prefix + name, tensor.detach().to(at::kCPU, tensor.scalar_type(), false, true));
  };
  Checkpoint out;
  out.config = config;
  out.images = own.images;
  out.steps = own.steps;
  out.counters = {{"skipped_steps", static_cast<double>(own.skipped)},
                  {"skipped_images", static_cast<double>(own.skipped_images)}};
  own.save_health(out.counters);
  out.fault = fault();
  add(out.network, weights(false), "");
  add(out.ema, weights(true), "");
  add(out.optimizer, own.memory.views(own.first), kFirst);
  add(out.optimizer, own.memory.views(own.second), kSecond);
  add(out.optimizer, rests_of(own.memory.views(own.rests.front()), own.beside_network()), kRest);
  add(out.optimizer, own.beside_network(), "");
  add(out.optimizer, own.track_state(), "");
  return out;
}

void Trainer::restore(const Checkpoint& checkpoint) {
  State& own = *state_;
  const std::map<std::string, Tensor> given(checkpoint.optimizer.begin(), checkpoint.optimizer.end());
  NamedTensors wanted;
  for (const auto& [name, tensor] : own.memory.views(own.first)) wanted.emplace_back(kFirst + name, tensor);
  for (const auto& [name, tensor] : own.memory.views(own.second)) wanted.emplace_back(kSecond + name, tensor);
  if (has_rests(checkpoint.optimizer))
    for (const auto& [name, tensor] : rests_of(own.memory.views(own.rests.front()), own.beside_network()))
      wanted.emplace_back(kRest + name, tensor);
  for (const auto& entry : own.beside_network()) wanted.push_back(entry);
  for (const auto& entry : own.track_state()) wanted.push_back(entry);
  for (const auto& [name, tensor] : wanted) {
    const auto found = given.find(name);
    require(found != given.end() && found->second.sizes() == tensor.sizes() && found->second.dtype() == tensor.dtype(),
            "checkpoint: optimizer state {} is missing or of another shape or dtype; it belongs to another config",
            name);
  }
  require(given.size() == wanted.size(),
          "checkpoint: {} tensors of optimizer state, expected {}; it belongs to another config", given.size(),
          wanted.size());

  check_state(own.model->network(), checkpoint.network, "checkpoint, network");
  check_state(*own.averaged, checkpoint.ema, "checkpoint, ema");
  load_state(own.model->network(), checkpoint.network, "checkpoint, network");
  load_state(*own.averaged, checkpoint.ema, "checkpoint, ema");
  const at::NoGradGuard no_grad;
  own.rests.front().zero_();
  for (auto& [name, tensor] : wanted) tensor.copy_(given.at(name));
  own.images = checkpoint.images;
  own.steps = checkpoint.steps;
  own.skipped = static_cast<std::int64_t>(counter(checkpoint.counters, "skipped_steps"));
  own.skipped_images = static_cast<std::int64_t>(counter(checkpoint.counters, "skipped_images"));
  own.inherited_fault = checkpoint.fault;
  own.restore_health(checkpoint.counters);
}

}  // namespace edmund
