#include "edmund/app/identity.h"

#include "edmund/app/adapter.h"
#include "edmund/core/files.h"
#include "edmund/core/format.h"

namespace edmund {
namespace {

// Of all files of a checkpoint: its state.json holds their checksums.
std::string checksum_of(const std::filesystem::path& checkpoint) {
  return checksum(read_file(checkpoint / "state.json"));
}

// Lines of the checksums of the checkpoint, the guide's and the adapters', and of the average
// taken.
std::string weights_text(const TrainedModel& trained) {
  std::string text = checksum_of(trained.checkpoint) + "\n";
  if (trained.weights.kind == Weights::Kind::kWidth)
    text += format("{} at {}\n", trained.weights.name(), trained.images);
  const auto& guide = trained.experiment.sampling.guide;
  if (guide) text += checksum_of(find_checkpoint(guide->path).folder) + "\n";
  Options root = trained.experiment.config.options;
  return text + identity_of(chosen_adapters(root));
}

}  // namespace

std::string weights_identity(const TrainedModel& trained) { return checksum(weights_text(trained)); }

std::string identity_of(const TrainedModel& trained) {
  const Experiment& experiment = trained.experiment;
  std::string text = weights_text(trained);
  for (const auto& [key, value] : Options::read_text(experiment.config.options.resolved(), "config").flattened())
    if (key.starts_with("sampling.") || key == "precision" || key == "kernels" || key == "conv")
      text += format("{}={}\n", key, value);
  return checksum(text);
}

}  // namespace edmund
