#include "trainer_state.h"

#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"

#include <ATen/core/grad_mode.h>
#include <map>
#include <utility>

namespace edmund {

NamedTensors parameters_of(const Network& network) {
  NamedTensors out;
  for (const auto& entry : network.named_parameters())
    if (entry.value().requires_grad()) out.emplace_back(entry.key(), entry.value());
  return out;
}

NamedTensors Trainer::State::averaged_tensors() const {
  auto parameters = averaged->named_parameters();
  NamedTensors out;
  for (const auto& [name, tensor] : trained)
    out.emplace_back(name, parameters.contains(name) ? parameters[name] : tensor.detach().clone());
  return out;
}

NamedTensors Trainer::State::beside_network() const {
  const auto parameters = model->network().named_parameters();
  NamedTensors out;
  for (const auto& [name, tensor] : trained)
    if (!parameters.contains(name)) out.emplace_back(name, tensor.detach());
  return out;
}

void Trainer::State::copy_buffers() const {
  const at::NoGradGuard no_grad;
  auto targets = averaged->named_buffers();
  for (const auto& entry : model->network().named_buffers()) targets[entry.key()].copy_(entry.value());
}

Trainer::Trainer(std::unique_ptr<Trainable> model, std::shared_ptr<Network> averaged, EmaDecay ema,
                 TrainingSettings settings)
    : state_(new State{.model = std::move(model),
                       .averaged = std::move(averaged),
                       .ema = std::move(ema),
                       .settings = std::move(settings)}) {
  State& own = *state_;
  Network& network = own.model->network();
  TORCH_CHECK(&network != own.averaged.get(), "the EMA needs a network of its own");
  load_state(*own.averaged, state_dict(network), "EMA network");
  for (auto& parameter : own.averaged->parameters()) parameter.requires_grad_(false);
  // but what is trained, below
  for (auto& parameter : network.parameters()) parameter.requires_grad_(false);
  NamedTensors averages = own.averaged_tensors();
  own.memory.adopt(own.trained, own.values);
  own.memory.adopt(averages, own.averages.front());
  for (auto& [name, tensor] : own.trained) tensor.requires_grad_(true);
  network.train();
  own.averaged->eval();
}

Trainer::~Trainer() = default;

LossClock Trainer::clock() const { return state_->model->clock(); }
std::int64_t Trainer::images() const { return state_->images; }
std::int64_t Trainer::steps() const { return state_->steps; }
std::int64_t Trainer::skipped() const { return state_->skipped; }

void Trainer::keep_gradients(bool keep) { state_->keep = keep; }

NamedTensors Trainer::last_gradients() const {
  return state_->kept.defined() ? state_->memory.views(state_->kept) : NamedTensors();
}

NamedTensors Trainer::weights(bool ema) const { return state_dict(ema ? *ema_network() : state_->model->network()); }

const std::shared_ptr<Network>& Trainer::ema_network() const {
  state_->copy_buffers();
  return state_->averaged;
}

void Trainer::note_checkpoint(const std::filesystem::path& folder) { state_->last_checkpoint = folder.string(); }

}  // namespace edmund
