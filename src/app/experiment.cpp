#include "edmund/app/config.h"
#include "edmund/app/guide.h"
#include "edmund/core/error.h"
#include "edmund/core/log.h"
#include "edmund/data/classes.h"
#include "edmund/generation/guidance.h"
#include "edmund/networks/adapter.h"
#include "edmund/networks/network.h"

#include <algorithm>
#include <utility>

namespace edmund {
namespace {

// Factories that look at files throw at the first mistake they see; at this point it is one mistake
// among others.
template <typename Make>
auto recorded_as(Options& options, std::string_view key, const Make& make) -> decltype(make()) {
  try {
    return make();
  } catch (const Error& error) {
    // what follows from a path that was refused is no second mistake
    const auto facts = options.child(key).facts();
    const auto is_refused = [](const OptionFacts& fact) {
      return fact.kind == "path" && fact.is_chosen && fact.value.empty();
    };
    if (std::none_of(facts.begin(), facts.end(), is_refused)) options.reject(key, error.what());
    return {};
  }
}

std::shared_ptr<Dataset> read_data(Options& root) {
  Options section = root.child("data", "images to learn from");
  return recorded_as(root, "data", [&]() -> std::shared_ptr<Dataset> { return make_dataset(section); });
}

ModelShape read_shape(Options& root, const Dataset* data, const AugmentSettings& augment) {
  const DatasetInfo info = data ? data->info() : DatasetInfo{};
  Options image = root.child("image", "shape of the images");
  ModelShape shape;
  shape.image = {
      .channels =
          image.integer("channels", data ? info.channels : 1, between(1, 4096), "1 grey, 3 RGB; as the data have it"),
      .height = image.integer("height", data ? info.height : 8, between(1, 65536), "in pixels, as the data have it"),
      .width = image.integer("width", data ? info.width : 8, between(1, 65536), "in pixels, as the data have it")};
  shape.num_classes = image.integer("classes", info.num_classes, between(0, 1 << 24),
                                    "that the network is told; 0: none; as the data have it");
  shape.class_names = image.texts("class_names", info.class_names, "names of the classes, as the data have them");
  shape.class_counts = image.integers("class_counts", info.class_counts, at_least(0), "training images of each class");
  if (shape.num_classes == 0) shape.class_counts.clear();
  image.check(shape.class_counts.empty() || std::ssize(shape.class_counts) == shape.num_classes, "class_counts",
              "{} counts of {} classes", shape.class_counts.size(), shape.num_classes);
  const std::int64_t told = augment.any() ? augment.label_width() : 0;
  shape.augment_labels = image.integer("augment_labels", told, between(0, 1024),
                                       "numbers that the network is told of how an image was augmented");
  image.check(told == 0 || shape.augment_labels == told, "augment_labels",
              "training.augment tells the network {} numbers, found {}; leave it out, or set "
              "training.augment.labels=false to tell none",
              told, shape.augment_labels);
  if (data) {
    const bool same =
        shape.image.channels == info.channels && shape.image.height == info.height && shape.image.width == info.width;
    image.check(same, "",
                "images are {}x{}x{} here, but {}x{}x{} (C, H, W) in the data {}; set data.size and data.channels, or "
                "leave `image` out",
                shape.image.channels, shape.image.height, shape.image.width, info.channels, info.height, info.width,
                info.name);
    image.check(shape.num_classes == 0 || shape.num_classes == info.num_classes, "classes",
                "the data {} has {} classes, found {} (0: unconditional)", info.name, info.num_classes,
                shape.num_classes);
    const bool named = !shape.class_names.empty() && !info.class_names.empty();
    image.check(shape.num_classes == 0 || !named || shape.class_names == info.class_names, "class_names",
                "the classes of the data {} are {}, those of the model {}", info.name, list_of(info.class_names),
                list_of(shape.class_names));
  }
  return shape;
}

NetworkContext context_of(const ModelShape& shape) {
  return {.image = shape.image, .num_classes = shape.num_classes, .augment_labels = shape.augment_labels};
}

std::shared_ptr<Network> read_network(Options& root, const ModelShape& shape) {
  Options section = root.child("network", "architecture of the network");
  return recorded_as(root, "network",
                     [&]() -> std::shared_ptr<Network> { return make_network(section, context_of(shape)); });
}

// Puts the adapter on the network, if there is one of each.
void read_adapter_of(Options& root, const RunConfig& config, Network* network) {
  Options section = root.child("adapter", "few weights that are trained on a frozen network");
  const Adapter adapter = make_adapter(section);
  if (!adapter) return;
  section.check(!config.init.from.empty(), "type",
                "needs training.init, the run whose frozen network the adapter changes");
  if (network)
    recorded_as(root, "adapter", [&] {
      adapter(*network, config.seed);
      return true;
    });
}

// What an exported program answers is not seen by looking at it.
void require_convention(Options& root, Options& preconditioning, bool has_data) {
  if (!root.has("network") || root.child("network").value("type") != "exported") return;
  root.check(has_data || root.has("image"), "image",
             "has to be stated for a network of type exported: channels, height, width and classes that it takes");
  for (const char* key : {"type", "noise_input"})
    preconditioning.check(preconditioning.has(key), key,
                          "has to be chosen for a network of type exported: what it answers and what it is told");
}

}  // namespace

Experiment construct(RunConfig config, Needs needs) {
  Options root = config.options;
  const auto data = needs == Needs::kData ? read_data(root) : nullptr;
  const ModelShape shape = read_shape(root, data.get(), config.loader.augment);
  // its keys stay deferred then
  const auto network = needs == Needs::kSettings ? nullptr : read_network(root, shape);
  if (needs != Needs::kSettings) read_adapter_of(root, config, network.get());
  Options preconditioning_options =
              root.child("preconditioning", "what the network learns, and how σ and input reach it"),
          weight_options = root.child("loss_weight", "weight of the loss at each noise level"),
          level_options = root.child("noise_levels", "σ of the images that are trained on"),
          training_options = root.child("training"), augment_options = training_options.child("augment"),
          ema_options = training_options.child("ema", "average of the weights, which samples are drawn with"),
          objective_options = root.child("objective", "loss that is minimized"),
          sampling_options = root.child("sampling", "how images are drawn");
  check_augment(augment_options, config.loader.augment, shape.image.channels, shape.image.height, shape.image.width);
  const Preconditioning preconditioning = make_preconditioning(preconditioning_options);
  if (needs != Needs::kSettings) require_convention(root, preconditioning_options, data != nullptr);
  const LossWeight weight = make_loss_weight(weight_options);
  NoiseLevels levels = make_noise_levels(level_options);
  EmaDecay ema = make_ema(ema_options);
  Objective objective = make_objective(objective_options, {.settings = config.objective,
                                                           .levels = levels,
                                                           .batch_size = config.training.batch_size,
                                                           .num_classes = shape.num_classes,
                                                           .seed = config.seed});
  const bool draws = needs != Needs::kSettings;
  Sampling sampling = make_sampling(sampling_options, preconditioning, draws ? load_guide : GuideLoader());
  sampling_options.check(!draws || sampling.labels.empty() || std::ssize(sampling.labels) == shape.num_classes,
                         "labels", "{} numbers for a model of {} classes", sampling.labels.size(), shape.num_classes);
  if (draws) check_guidance(sampling_options, sampling, shape, config.objective.label_dropout);
  root.finish();
  if (draws)
    for (const auto& note : root.notes()) log::info_once("{}", note);
  if (draws && shape.num_classes > 0 && shape.class_counts.empty())
    log::info_once("how many images of each class were trained on is not known: classes are drawn evenly");

  if (network) network->to(config.backend.device);
  return {.config = std::move(config),
          .data = data,
          .shape = shape,
          .model = DenoisingModel(network, preconditioning, weight),
          .levels = std::move(levels),
          .objective = std::move(objective),
          .ema = std::move(ema),
          .sampling = std::move(sampling)};
}

DenoisingModel model_like(const Experiment& experiment) {
  Options root = experiment.config.options;
  Options network = root.child("network"), preconditioning = root.child("preconditioning"),
          weight = root.child("loss_weight");
  const auto made = make_network(network, context_of(experiment.shape));
  read_adapter_of(root, experiment.config, made.get());
  made->to(device_of(experiment.model.network()));
  return {made, make_preconditioning(preconditioning), make_loss_weight(weight)};
}

}  // namespace edmund
