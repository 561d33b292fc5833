#pragma once

#include "classifier_network.h"
#include "edmund/data/dataset.h"

#include <filesystem>

namespace edmund {

/// Weights after training on `data`. Every half minute, and when the process is asked to stop, what
/// there is goes to the file `unfinished`, from where the next call goes on to the same weights; in
/// the second case it throws Interrupted between two steps. Nothing is kept where the path is
/// empty. Who has kept the weights takes the file away.
ClassifierWeights trained_classifier(const Batch& data, const ClassifierShape& shape,
                                     const ClassifierSettings& settings, const std::filesystem::path& unfinished);

}  // namespace edmund
