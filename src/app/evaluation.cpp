#include "edmund/app/evaluation.h"

#include "edmund/core/error.h"
#include "edmund/data/classes.h"
#include "edmund/evaluation/feature_cache.h"

#include <utility>

namespace edmund {
namespace {

// Images of which all is known but the pixels.
class NoImages : public Dataset {
 public:
  explicit NoImages(DatasetInfo info) : info_(std::move(info)) {}
  DatasetInfo info() const override { return info_; }
  Batch read(std::span<const std::int64_t>) const override { fail("{}: has no images", info_.name); }

 private:
  DatasetInfo info_;
};

Options held_out_of(Options& evaluation) {
  return evaluation.child("held_out", "images that training never saw, to judge features by");
}

Options features_of(Options& evaluation) { return evaluation.child("features", "what images are compared by"); }

}  // namespace

std::unique_ptr<Dataset> held_out_data(const Experiment& experiment) {
  Options options = experiment.config.options, evaluation = options.child("evaluation");
  if (!evaluation.has("held_out")) return nullptr;
  Options held_out = held_out_of(evaluation);
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
  Options options = experiment.config.options, evaluation = options.child("evaluation"),
          features = features_of(evaluation);
  auto extractor = make_features(features, {.labeled = *experiment.data,
                                            .held_out = held_out.get(),
                                            .seed = experiment.config.evaluation.seed,
                                            .cache = cache});
  options.finish();
  return cached_features(std::move(extractor), cache);
}

void read_feature_keys(Options& features, const DatasetInfo& images) {
  try {
    make_features(features, {.labeled = NoImages(images)});
  } catch (const Error&) {  // what has to be read is read by now
  }
}

void read_evaluation_keys(Options root, const DatasetInfo& images) {
  Options evaluation = root.child("evaluation");
  Options features = features_of(evaluation), held_out = held_out_of(evaluation);
  read_feature_keys(features, images);
  if (!evaluation.has("held_out")) return;
  try {
    make_dataset(held_out);
  } catch (const Error& error) {
    evaluation.reject("held_out", error.what());
  }
}

void require_model_size(const DatasetInfo& images, const ModelShape& model, std::string_view where) {
  const ImageShape& shape = model.image;
  require(images.channels == shape.channels && images.height == shape.height && images.width == shape.width,
          "{}: images are {}x{}x{}, the model's are {}x{}x{} (C, H, W)", where, images.channels, images.height,
          images.width, shape.channels, shape.height, shape.width);
}

}  // namespace edmund
