#pragma once

#include "edmund/core/options.h"
#include "edmund/data/dataset.h"
#include "edmund/data/image_source.h"

#include <cstdint>
#include <memory>
#include <string>

namespace edmund {

/// What a run asks of the images of any data set; see make_dataset.
struct Adaptation {
  std::int64_t size = 0;
  std::string resize = "refuse";
  std::int64_t channels = 0;
};

/// Data set of the source's images, all brought to one shape. Looks at every header and throws
/// Error for the first image that cannot be given that shape.
std::unique_ptr<Dataset> adapted(ImageSource source, const Adaptation& wanted);

}  // namespace edmund
