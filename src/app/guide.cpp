#include "edmund/app/guide.h"

#include "edmund/core/error.h"
#include "edmund/core/log.h"
#include "edmund/networks/state_dict.h"
#include "edmund/ops/device.h"
#include "edmund/training/checkpoint.h"
#include "edmund/training/trainer.h"

namespace edmund {
namespace fs = std::filesystem;

namespace {

std::string text_of(const ModelShape& shape) {
  return format("{}x{}x{} images of {} classes", shape.image.channels, shape.image.height, shape.image.width,
                shape.num_classes);
}

// The network must know the noise levels that it is asked for (to rounding of the grid's ends).
bool knows(const Preconditioning& preconditioning, double sigma) {
  return sigma > preconditioning.sigmas.low * (1 - 1e-6) && sigma < preconditioning.sigmas.high * (1 + 1e-6);
}

}  // namespace

GuideModel load_guide(const fs::path& path) {
  require(fs::is_directory(path), "{}: no such run folder", path.string());
  const bool is_checkpoint = fs::exists(path / "state.json");
  const auto folder = is_checkpoint ? path : newest_checkpoint(path);
  require(folder.has_value(), "{}: no whole checkpoint in {}", path.string(), (path / "checkpoints").string());
  const Checkpoint checkpoint = load_weights(*folder);
  Options root = Options::read_text(checkpoint.config, (*folder / "state.json").string() + " (config)");
  Options image = root.child("image"), network = root.child("network"), preconditioning = root.child("preconditioning"),
          weight = root.child("loss_weight");
  ModelShape shape;
  shape.image = {.channels = image.required_integer("channels", between(1, 4096)),
                 .height = image.required_integer("height", between(1, 65536)),
                 .width = image.required_integer("width", between(1, 65536))};
  shape.num_classes = image.integer("classes", 0, between(0, 1 << 24));
  shape.class_names = image.texts("class_names", {});
  DenoisingModel model(make_network(network, {.image = shape.image, .num_classes = shape.num_classes}),
                       make_preconditioning(preconditioning), make_loss_weight(weight));
  for (const auto& key : root.keys()) root.defer(key);  // the rest says how it was trained and how it samples
  root.finish();
  load_state(model.network(), checkpoint.ema, folder->string());
  model.network().to(ops::device());
  return {.path = path.string(), .shape = std::move(shape), .model = std::move(model)};
}

void read_guide(Options& guidance, Sampling& sampling) {
  const std::string path = guidance.text("model", "");
  if (!path.empty()) {
    try {
      sampling.guide = std::make_shared<const GuideModel>(load_guide(path));
    } catch (const Error& error) {
      guidance.reject("model", error.what());
      return;
    }
    for (const double t : sampling.grid.t) {
      const double sigma = sampling.path->sigma(t);
      const Interval known = sampling.guide->model.preconditioning().sigmas;
      guidance.check(!sampling.guidance_sigmas.contains(sigma) || knows(sampling.guide->model.preconditioning(), sigma),
                     "model", "{} knows σ in [{}, {}], but the grid visits {}; set guidance.sigmas to what it knows",
                     path, known.low, known.high, sigma);
    }
  }
  if (sampling.guidance != 1.0)
    sampling.name += format(", {} {}", sampling.guide ? "autoguidance" : "guidance", sampling.guidance);
}

void require_guide_fits(const GuideModel& guide, const ModelShape& shape) {
  const ImageShape &a = guide.shape.image, &b = shape.image;
  require(a.channels == b.channels && a.height == b.height && a.width == b.width &&
              guide.shape.num_classes == shape.num_classes,
          "the guide {} draws {}, but the model draws {}", guide.path, text_of(guide.shape), text_of(shape));
}

void check_guidance(Options& options, const Sampling& sampling, const ModelShape& shape, double label_dropout) {
  Options guidance = options.child("guidance");
  if (sampling.guide) {
    try {
      require_guide_fits(*sampling.guide, shape);
    } catch (const Error& error) {
      guidance.reject("model", error.what());
    }
    return;
  }
  if (sampling.guidance == 1.0) return;
  guidance.check(shape.num_classes > 0, "weight",
                 "the model has no classes: name a weaker one as guidance.model, or leave the weight at 1");
  if (shape.num_classes > 0 && label_dropout == 0)
    log::warn(
        "guidance.weight is {}, but this training never dropped labels (training.label_dropout is 0): D_u is untrained",
        sampling.guidance);
}

}  // namespace edmund
