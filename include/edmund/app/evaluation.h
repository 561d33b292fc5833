#pragma once

#include "edmund/app/config.h"
#include "edmund/data/dataset.h"
#include "edmund/evaluation/features.h"

#include <filesystem>
#include <memory>
#include <string_view>

namespace edmund {

/// Real images that training did not see, as `evaluation.held_out` names them, their classes
/// numbered as the model's (with_classes()); none if it names none. Throws Error for images of a
/// class that the model does not know.
std::unique_ptr<Dataset> held_out_data(const Experiment& experiment);

/// Extractor of `evaluation.features`, learned from the experiment's data, which it must have. What
/// is learned and what is extracted is kept in the folder `cache`. Throws Error with all mistakes
/// of the config, unknown keys included: nothing else is to be read from it after this.
std::unique_ptr<FeatureExtractor> evaluation_features(const Experiment& experiment, const std::filesystem::path& cache);

/// Reads `evaluation.features` of a config for what it says of its keys: mistakes are recorded, but
/// nothing is learned. `held_out` is read as far as its files are there.
void read_evaluation_keys(Options root, const DatasetInfo& images);
/// The same of a `features` mapping alone.
void read_feature_keys(Options& features, const DatasetInfo& images);

/// Throws Error, which begins with `where`, unless images and model agree in channels, height and
/// width.
void require_model_size(const DatasetInfo& images, const ModelShape& model, std::string_view where);

}  // namespace edmund
