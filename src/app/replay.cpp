// A batch that a training fell over, at the weights of a checkpoint: the loss of each image and the
// norm of the gradient.
#include "edmund/app/run.h"
#include "edmund/core/files.h"
#include "edmund/core/text.h"
#include "edmund/networks/network.h"
#include "edmund/training/checkpoint.h"
#include "edmund/training/divergence.h"
#include "edmund/training/trainer.h"
#include "starting_weights.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

namespace edmund {
namespace fs = std::filesystem;
namespace {

// Without the sign of what is no number.
std::string shown(double value) { return std::isnan(value) ? "nan" : number_text(value); }

std::string told(const ExaminedBatch& batch) {
  std::ostringstream out;
  const auto cell = [&](const std::string& text) { out << " " << std::setw(11) << text; };
  const bool has_labels = batch.inputs.labels.defined() && batch.inputs.labels.dim() == 1;
  for (const std::string& name :
       {std::string("position"), std::string("image"), std::string("label"), batch.clock_name, std::string("loss")})
    cell(name);
  out << '\n';
  for (std::size_t i = 0; i < batch.losses.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    cell(std::to_string(batch.inputs.positions[at].item<std::int64_t>()));
    cell(i < batch.images.size() ? std::to_string(batch.images[i]) : "-");
    cell(has_labels ? std::to_string(batch.inputs.labels[at].item<std::int64_t>()) : "-");
    cell(short_number(batch.clock[i]));
    cell(shown(batch.losses[i]));
    out << '\n';
  }
  const auto bad = std::ranges::count_if(batch.losses, [](double loss) { return !std::isfinite(loss); });
  out << format("{} of {} images have no finite loss; norm of the gradient {}\n", bad, batch.losses.size(),
                shown(batch.gradient_norm));
  return out.str();
}

}  // namespace

std::string replayed_batch(const RunFolder& run, const std::optional<fs::path>& checkpoint,
                           std::span<const std::string> overrides, const fs::path& file) {
  const ExaminedBatch batch = read_batch(file);
  RunConfig config = parse(run_options(run, overrides));
  apply_backend(config.backend);
  if (fs::exists(run.resolved())) take_image(config.options, read_file(run.resolved()), run.resolved().string());
  Experiment experiment = construct(std::move(config), Needs::kModel);
  const ImageShape& image = experiment.shape.image;
  const at::IntArrayRef shape = batch.inputs.images.sizes();
  require(shape[1] == image.channels && shape[2] == image.height && shape[3] == image.width,
          "{}: images of {}x{}x{} (C, H, W), but {} is trained on {}x{}x{}", file.string(), shape[1], shape[2],
          shape[3], run.path.string(), image.channels, image.height, image.width);
  if (!checkpoint) initialize(experiment);
  Trainer trainer(experiment.objective(experiment.model), model_like(experiment).shared_network(), experiment.ema,
                  experiment.config.training);
  if (checkpoint) trainer.restore(load_checkpoint(*checkpoint));
  ExaminedBatch found = trainer.examine(batch.inputs);
  found.images = batch.images;
  return told(found);
}

}  // namespace edmund
