#include "edmund/app/evaluation.h"

#include "edmund/core/error.h"
#include "edmund/data/classes.h"
#include "edmund/evaluation/feature_cache.h"

#include <utility>

namespace edmund {

std::unique_ptr<Dataset> held_out_data(const Experiment& experiment) {
  Options options = experiment.config.options, evaluation = options.child("evaluation");
  if (!evaluation.has("held_out")) return nullptr;
  Options held_out = evaluation.child("held_out");
  auto data = make_dataset(held_out);
  const ModelShape& shape = experiment.shape;
  if (shape.num_classes > 0 || experiment.data == nullptr)
    return with_classes(std::move(data),
                        {.count = shape.num_classes, .names = shape.class_names, .whose = "the model"});
  const DatasetInfo info = experiment.data->info();  // what a classifier learns from
  return with_classes(std::move(data), {.count = info.num_classes, .names = info.class_names, .whose = info.name});
}

std::unique_ptr<FeatureExtractor> evaluation_features(const Experiment& experiment,
                                                      const std::filesystem::path& cache) {
  const auto held_out = held_out_data(experiment);
  Options options = experiment.config.options, features = options.child("evaluation").child("features");
  auto extractor = make_features(features, {.labeled = *experiment.data,
                                            .held_out = held_out.get(),
                                            .seed = experiment.config.evaluation.seed,
                                            .cache = cache});
  options.finish();
  return cached_features(std::move(extractor), cache);
}

void require_model_size(const DatasetInfo& images, const ModelShape& model, std::string_view where) {
  const ImageShape& shape = model.image;
  require(images.channels == shape.channels && images.height == shape.height && images.width == shape.width,
          "{}: images are {}x{}x{}, the model's are {}x{}x{} (C, H, W)", where, images.channels, images.height,
          images.width, shape.channels, shape.height, shape.width);
}

}  // namespace edmund
