#include "trainer_state.h"

#include "edmund/core/format.h"
#include "edmund/networks/network.h"
#include "edmund/networks/state_dict.h"

#include <ATen/core/grad_mode.h>
#include <map>
#include <utility>

namespace edmund {
namespace {

// of a checkpoint's optimizer state: ema_track.0.05.NAME
const std::string kTrack = "ema_track.", kTrackRest = "ema_track_rest.";

}  // namespace

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

std::vector<Tensor> Trainer::State::each_average() const {
  std::vector<Tensor> out;
  for (std::size_t i = 0; i <= settings.ema_tracks.size(); ++i) out.push_back(memory.zeros());
  return out;
}

std::vector<EmaDecay> Trainer::State::track_decays() const {
  std::vector<EmaDecay> out;
  for (const double width : settings.ema_tracks) out.push_back(power_ema(width));
  return out;
}

void Trainer::State::start_tracks() {
  for (std::size_t i = 1; i < averages.size(); ++i) averages[i].copy_(values);
}

NamedTensors Trainer::State::track_state() const {
  NamedTensors out;
  for (std::size_t i = 0; i < tracks.size(); ++i) {
    const std::string width = format("{}.", settings.ema_tracks[i]);
    for (const auto& [name, tensor] : memory.views(averages[i + 1])) out.emplace_back(kTrack + width + name, tensor);
    for (const auto& [name, tensor] : memory.views(rests[i + 1])) out.emplace_back(kTrackRest + width + name, tensor);
  }
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
  own.start_tracks();
  for (auto& [name, tensor] : own.trained) tensor.requires_grad_(true);
  network.train();
  own.averaged->eval();
}

Trainer::~Trainer() = default;

LossClock Trainer::clock() const { return state_->model->clock(); }
std::int64_t Trainer::images() const { return state_->images; }
std::int64_t Trainer::steps() const { return state_->steps; }
std::int64_t Trainer::skipped() const { return state_->skipped; }

std::int64_t Trainer::micro_batch() const {
  const std::int64_t asked = state_->settings.micro_batch, fits = state_->fits;
  return asked > 0 && fits > 0 ? std::min(asked, fits) : std::max(asked, fits);
}

void Trainer::keep_gradients(bool keep) { state_->keep = keep; }

NamedTensors Trainer::last_gradients() const {
  return state_->kept.defined() ? state_->memory.views(state_->kept) : NamedTensors();
}

NamedTensors Trainer::weights(bool ema) const { return state_dict(ema ? *ema_network() : state_->model->network()); }

NamedTensors Trainer::track(std::size_t index) const {
  TORCH_CHECK(index < state_->tracks.size(), "no track ", index, " among ", state_->tracks.size());
  return state_->memory.views(state_->averages[index + 1]);
}

KeptAverages Trainer::averages() const {
  const auto of_network = state_->model->network().named_parameters();
  KeptAverages out{.images = state_->images,
                   .learned = state_->images - state_->skipped_images,
                   .widths = state_->settings.ema_tracks,
                   .parameters = {}};
  for (std::size_t i = 0; i < out.widths.size(); ++i) {
    NamedTensors& parameters = out.parameters.emplace_back();
    for (auto& entry : track(i))
      if (of_network.contains(entry.first)) parameters.push_back(std::move(entry));
  }
  return out;
}

const std::shared_ptr<Network>& Trainer::ema_network() const {
  state_->copy_buffers();
  return state_->averaged;
}

}  // namespace edmund
