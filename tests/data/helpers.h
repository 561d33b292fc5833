#pragma once

#include "edmund/core/options.h"
#include "edmund/data/dataset.h"
#include "support/errors.h"
#include "support/file_formats.h"
#include "support/temporary_folder.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace edmund::testing {

/// Data set of a config in YAML. As in a run, an Error about a file is one mistake among others,
/// which finish() reports.
std::unique_ptr<Dataset> dataset_of(const std::string& yaml);
/// Image `i` alone, [C, H, W].
Tensor image_of(const Dataset& dataset, std::int64_t i);
std::vector<std::int64_t> labels_of(const Dataset& dataset);

}  // namespace edmund::testing
