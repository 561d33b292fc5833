#pragma once

#include "edmund/data/dataset.h"
#include "edmund/data/image_source.h"

#include <memory>

namespace edmund {

/// Data set of the source's images, all brought to one shape: see of_one_shape.
std::unique_ptr<Dataset> adapted(ImageSource source, const Adaptation& wanted);

}  // namespace edmund
